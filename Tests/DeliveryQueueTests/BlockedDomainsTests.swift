import DeliveryQueue
import MailModel
import TestLiterals
import Testing

/// What new mail does for a domain in backoff. Times are minutes.
@Suite("Blocked domains")
struct BlockedDomainsTests {
    private static let bravo: DomainName = "bravo.test"

    private static func at(_ minutes: Int64) -> Timestamp { Timestamp(seconds: minutes * 60) }

    @Test("With constant new mail a dead domain is tested once in five minutes, and no more (field B3)")
    func interval() {
        var blocked = BlockedDomains()
        #expect(blocked.arrived(Self.bravo, at: Self.at(0)) == .look)
        blocked.ended(Self.bravo, until: Self.at(60), wasTried: true, at: Self.at(0))
        let tests = (0...59).filter { blocked.arrived(Self.bravo, at: Self.at($0)) == .test }
        #expect(tests == Array(stride(from: 5, through: 55, by: 5)))
        #expect(blocked.arrived(Self.bravo, at: Self.at(60)) == .look, "its time has come")
    }

    @Test("A domain whose last attempt is not known is first in backoff for as long (field B3)")
    func unknown() {
        var blocked = BlockedDomains()
        blocked.ended(Self.bravo, until: Self.at(60), wasTried: false, at: Self.at(10))
        #expect(blocked.arrived(Self.bravo, at: Self.at(14)) == .wait)
        // It was looked at, and not tried.
        blocked.due(Self.bravo)
        blocked.ended(Self.bravo, until: Self.at(60), wasTried: false, at: Self.at(14))
        #expect(blocked.arrived(Self.bravo, at: Self.at(15)) == .test)
    }

    @Test("A domain that works is looked at, and so is one that may be due")
    func open() {
        var blocked = BlockedDomains()
        blocked.ended(Self.bravo, until: Self.at(60), wasTried: true, at: Self.at(0))
        blocked.due(Self.bravo)
        #expect(blocked.arrived(Self.bravo, at: Self.at(1)) == .look)
        blocked.ended(Self.bravo, until: nil, wasTried: true, at: Self.at(1))
        #expect(blocked.arrived(Self.bravo, at: Self.at(1)) == .look)
    }

    @Test("Sessions closed upon messages in several runs count together, for an hour after the last (field B2)")
    func closings() {
        var blocked = BlockedDomains()
        for (minute, sender) in ["alice@alpha.test", "carol@alpha.test", "dave@alpha.test"].enumerated() {
            // Each run has one message, and ends.
            let now = Self.at(Int64(minute))
            let work = DestinationTranscript(workers: 1, closings: blocked.closings(of: Self.bravo, at: now))
            work.start("a")
            work.attempt("a", .closed(DestinationTranscript.unreachable, sender: sender), at: Int64(minute))
            #expect((work.change == nil) == (minute < 2))
            blocked.ended(Self.bravo, closings: work.state.closings, at: now)
        }
        // What made the domain wait as a whole counts no more.
        #expect(blocked.closings(of: Self.bravo, at: Self.at(3)).isEmpty)
        var one = SessionClosings()
        _ = one.add("alice@alpha.test")
        blocked.ended(Self.bravo, closings: one, at: Self.at(10))
        #expect(!blocked.closings(of: Self.bravo, at: Self.at(69)).isEmpty)
        #expect(blocked.closings(of: Self.bravo, at: Self.at(70)).isEmpty)
        for number in 0...BlockedDomains.limit {
            blocked.ended("d\(number).test", closings: one, at: Self.at(70))
        }
        let remembered = (0...BlockedDomains.limit).count {
            !blocked.closings(of: "d\($0).test", at: Self.at(70)).isEmpty
        }
        #expect(remembered <= BlockedDomains.limit)
    }

    @Test("A bounded number of domains is remembered; the others are looked up (field B3)")
    func bounded() {
        var blocked = BlockedDomains()
        for number in 0...BlockedDomains.limit {
            blocked.ended("d\(number).test", until: Self.at(60), wasTried: true, at: Self.at(0))
        }
        #expect(blocked.arrived("d0.test", at: Self.at(1)) == .look)
        let last: DomainName = "d\(BlockedDomains.limit).test"
        #expect(blocked.arrived(last, at: Self.at(1)) == .wait)
    }

    @Test(
        "While mail without a sender has its half, walks read a domain where more waits four times a minute, and new mail is read at once (field A3)"
    )
    func shareTaken() {
        var blocked = BlockedDomains()
        var reads: [Int64] = []
        /// The domain has 12 messages without a sender, and no part of the share is free.
        func look(at second: Int64) {
            let work = DestinationTranscript(workers: 1)
            var cursor: Int? = 0
            while true {
                switch work.state.next(isHeld: true) {
                case .read(_, let count):
                    reads.append(second)
                    let start = cursor ?? 0
                    cursor = start + count < 12 ? start + count : nil
                    work.state.claimed(
                        (start..<min(12, start + count)).map { Letter(stringLiteral: "null\($0)") }, cursor: cursor,
                        backoff: nil, isInForce: false)
                case .hire:
                    work.begin(1)
                    while let letter = work.take() { work.state.shareWasTaken(letter) }
                    work.leave(1)
                case .end:
                    blocked.looked(Self.bravo, isShareTaken: work.state.isShareTaken, at: Self.instant(second))
                    return
                case .settle, .wait, .waitUntilHeld:
                    Issue.record("it waits for nothing")
                    return
                }
            }
        }
        for second in stride(from: Int64(0), to: 60, by: 5) where blocked.isWalked(Self.bravo, at: Self.instant(second))
        {
            look(at: second)
        }
        #expect(reads == [0, 15, 30, 45].flatMap { [Int64](repeating: $0, count: 6) }, "six pages each time")
        #expect(blocked.arrived(Self.bravo, at: Self.at(1)) == .look)
        #expect(blocked.isWalked("delta.test", at: Self.instant(46)), "it is known of one domain only")
        blocked.looked(Self.bravo, isShareTaken: false, at: Self.instant(46))
        #expect(blocked.isWalked(Self.bravo, at: Self.instant(46)), "there was a part for all")
        for number in 0...BlockedDomains.limit {
            blocked.looked("d\(number).test", isShareTaken: true, at: Self.instant(50))
        }
        let passedOver = (0...BlockedDomains.limit).count {
            !blocked.isWalked("d\($0).test", at: Self.instant(51))
        }
        #expect(passedOver > 0 && passedOver <= BlockedDomains.limit)
    }

    private static func instant(_ second: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: (second + 5) * 1_000_000_000)
    }

    @Test("A clock that goes back makes no test due (field B3)")
    func clockJump() {
        var blocked = BlockedDomains()
        blocked.ended(Self.bravo, until: Self.at(600), wasTried: true, at: Self.at(500))
        #expect(blocked.arrived(Self.bravo, at: Self.at(100)) == .wait)
    }
}
