import MailModel
import OperatingSystem
import SecureResolver
import TestLiterals
import Testing

@testable import Delivery

@Suite("How often answers are looked up anew at an operator's word")
struct OperatorFlushesTests {
    private static func outdated(_ name: DomainName) -> OutdatedAnswers {
        var outdated = OutdatedAnswers()
        outdated.insert(name, isZone: false)
        return outdated
    }

    @Test("Some at once, then one in a while; what had to wait is done together (field D6)")
    func pace() {
        let start = MonotonicInstant(nanoseconds: 1)
        var flushes = OperatorFlushes(at: start)
        var isTaken = flushes.takes(at: start)
        #expect(!isTaken)
        for _ in 0..<OperatorFlushes.atOnce {
            flushes.add(Self.outdated("a.test"))
            let taken = flushes.take(at: start)
            #expect(taken?.outdated == Self.outdated("a.test"))
        }
        flushes.add(Self.outdated("b.test"))
        flushes.add(routeTo: "c.test")
        isTaken = flushes.takes(at: start + .seconds(9))
        #expect(!isTaken)
        let late = flushes.take(at: start + OperatorFlushes.interval)
        #expect(late?.outdated == Self.outdated("b.test"))
        #expect(late?.routes == ["c.test"])
        isTaken = flushes.takes(at: start + .seconds(3_600))
        #expect(!isTaken)
    }

    @Test("Of more domains than can be remembered, everything is meant (field D6)")
    func most() throws {
        var flushes = OperatorFlushes(at: .now)
        for number in 0...OutdatedAnswers.most { flushes.add(routeTo: DomainName("d\(number).test")) }
        let taken = flushes.take(at: .now)
        #expect(taken?.outdated == .everything)
        #expect(taken?.routes == [])
    }
}

extension OperatorFlushes {
    /// Whether there is anything to be done; it counts as done then.
    fileprivate mutating func takes(at now: Instant) -> Bool { self.take(at: now) != nil }
}
