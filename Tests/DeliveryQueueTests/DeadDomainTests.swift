import DeliveryQueue
import MailModel
import Testing

/// A domain that takes no mail for days, with many messages that wait for it.
@Suite("Life of a dead domain (DESIGN §4, Storage)")
struct DeadDomainTests {
    private static let unreachable = DestinationFinding.failed(.of("4.4.1", .connectionTimeout, host: nil))
    private static let bogus = DestinationFinding.failed(.of("4.7.324", .dnssecInvalid, .security, host: nil))

    /// 0:00, 0:15, 0:30, then hourly.
    private static func steps(until end: Int64) -> [Int64] { [0, 15] + Array(stride(from: 30, through: end, by: 60)) }

    @Test("Two hundred messages cost one row and one test delivery at each step; the others are not touched")
    func oneTestDelivery() {
        var domain = DomainLife()
        domain.arrive(200, at: 0)
        domain.live(0...200) { _ in Self.unreachable }
        #expect(domain.attempts == Self.steps(until: 200))
        #expect(domain.rowWrites == domain.attempts.count)
        #expect(domain.recorded.isEmpty)
        #expect(domain.entries.filter { $0.attempts == 0 }.count == 200 - domain.attempts.count)
    }

    @Test(
        "Each sender hears of the delay once, at the first step at or after 4 h, and of the end after 24 h of DNSSEC failure"
    )
    func noticesAndEnd() {
        var domain = DomainLife()
        domain.arrive(50, at: 0)
        domain.live(0...(30 * 60)) { _ in Self.bogus }
        #expect(domain.entries.isEmpty)
        #expect(domain.delays.count == 50 && domain.delays.values.allSatisfy { (240...300).contains($0) })
        #expect(domain.expiries.count == 50 && domain.expiries.values.allSatisfy { (1440...1500).contains($0) })
        // Twice for each message that was never a test delivery, and for a test delivery no more than its attempts.
        #expect(domain.recorded.values.reduce(0, +) <= 100)
    }

    @Test("The life of a message alone in its queue is that of the schedule to the minute")
    func alone() {
        var domain = DomainLife()
        domain.arrive(1, at: 0)
        domain.live(0...(30 * 60)) { _ in Self.bogus }
        #expect(domain.attempts == Self.steps(until: 1410) + [1440])
        #expect(domain.delays == [1: 270] && domain.expiries == [1: 1440])
    }

    @Test(
        "Mail that keeps coming for days changes nothing: one test delivery a step, each told after 4 h and given up after 5 d"
    )
    func steadyInflow() {
        var domain = DomainLife()
        let end: Int64 = 7 * 24 * 60
        domain.live(0...end, arrivals: { $0.isMultiple(of: 30) ? 1 : 0 }) { _ in Self.unreachable }
        #expect(domain.attempts.count <= Self.steps(until: end).count + 2)
        for (id, minute) in domain.delays {
            let age = minute - Int64(id - 1) * 30
            #expect((240...360).contains(age), "message \(id) was told after \(age) minutes")
        }
        for (id, minute) in domain.expiries {
            let age = minute - Int64(id - 1) * 30
            #expect((7200...7320).contains(age), "message \(id) was given up after \(age) minutes")
        }
        #expect(domain.expiries.count > 90)
    }

    @Test("When it is back, the next test delivery goes through and all drain at once; the row is gone")
    func back() {
        var domain = DomainLife()
        domain.arrive(40, at: 0)
        domain.live(0...1000) { $0 < 300 ? Self.unreachable : .answered }
        #expect(domain.delivered.count == 40 && domain.entries.isEmpty && !domain.hasRow)
        // Those that had been test deliveries have steps of their own yet; nobody else waits a minute longer.
        #expect(domain.delivered.values.filter { $0 == 330 }.count >= 30)
    }

    @Test("What arrives for a blocked domain waits for it, and is not an attempt")
    func arrivesWhileBlocked() {
        var domain = DomainLife()
        domain.arrive(1, at: 0)
        domain.live(0...29, arrivals: { $0 == 20 ? 10 : 0 }) { _ in Self.unreachable }
        #expect(domain.attempts == [0, 15])
    }
}
