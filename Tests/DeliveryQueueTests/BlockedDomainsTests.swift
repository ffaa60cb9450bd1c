import DeliveryQueue
import MailModel
import Testing

/// What new mail does for a domain that is left alone. Times are minutes.
@Suite("Blocked domains")
struct BlockedDomainsTests {
    private static let bravo = name("bravo.test")

    private static func name(_ text: String) -> DomainName {
        guard let name = DomainName(text) else { preconditionFailure("\(text) is a domain") }
        return name
    }

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

    @Test("A domain whose last attempt is not known is first left alone for as long (field B3)")
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
            blocked.ended(Self.name("d\(number).test"), closings: one, at: Self.at(70))
        }
        let remembered = (0...BlockedDomains.limit).count {
            !blocked.closings(of: Self.name("d\($0).test"), at: Self.at(70)).isEmpty
        }
        #expect(remembered <= BlockedDomains.limit)
    }

    @Test("A bounded number of domains is remembered; the others are looked up (field B3)")
    func bounded() {
        var blocked = BlockedDomains()
        for number in 0...BlockedDomains.limit {
            blocked.ended(Self.name("d\(number).test"), until: Self.at(60), wasTried: true, at: Self.at(0))
        }
        #expect(blocked.arrived(Self.name("d0.test"), at: Self.at(1)) == .look)
        let last = Self.name("d\(BlockedDomains.limit).test")
        #expect(blocked.arrived(last, at: Self.at(1)) == .wait)
    }

    @Test("A clock that goes back makes no test due (field B3)")
    func clockJump() {
        var blocked = BlockedDomains()
        blocked.ended(Self.bravo, until: Self.at(600), wasTried: true, at: Self.at(500))
        #expect(blocked.arrived(Self.bravo, at: Self.at(100)) == .wait)
    }
}
