import DeliveryQueue
import MailModel
import NIOPosix
import Testing
import TransportSecurity

@testable import EdgeNode

/// Who waits for a connection to a receiving host, on a clock that the tests move.
@Suite("Line for connections")
struct SiteLineTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let silence = HostFailure(.connectionTimeout, "no greeting")

    /// A line, and what was said to those who stood in it.
    private struct World {
        var line = SiteLine(ConnectionLedger(limits: SiteLimits(SiteLimit(connections: 20)), connections: 200))
        var now = SiteLineTests.start
        var grants: [ConnectionGrant] = []
        let way = Egress(nil, helloName: "out.relay.test")

        static func customer() -> SiteCustomer { SiteCustomer(on: MultiThreadedEventLoopGroup.singleton.next()) }

        /// The nth domain asks for a connection to an address; `nil` where it waits now.
        mutating func ask(
            _ number: Int, at address: IPAddress = .v4(0xC000_0201), for customer: SiteCustomer = customer()
        ) -> SiteLine.Answer? {
            let (site, targets) = (
                ReceivingSite.address(.v4(UInt32(number))), [ConnectionTarget(address, 25, by: [self.way])]
            )
            let (answer, limit) = self.line.ask(site, at: targets, for: customer, isPatient: false, now: self.now)
            if case .granted(let grant)? = answer { self.grants.append(grant) }
            guard answer == nil else { return answer }
            customer.add(1)
            let waiter = SiteLine.Waiter(
                customer: customer, targets: targets, isPatient: false, limit: limit, since: self.now, resume: { _ in })
            self.line.append(waiter, at: site)
            return nil
        }

        /// A connection is given up without an answer. What is said to whom.
        mutating func silent(_ grant: ConnectionGrant) -> [(SiteLine.Waiter, SiteLine.Answer)] {
            _ = self.line.ledger.turnedAway(grant, inSilence: true, at: self.now)
            let told = self.line.failed(grant, SiteLineTests.silence, at: self.now)
            self.line.ledger.close(grant, wasEstablished: false, at: self.now)
            return told
        }
    }

    private func isFailure(_ answer: SiteLine.Answer?) -> Bool {
        if case .failed(.v4(0xC000_0201), let failure)? = answer { return failure.failure == .connectionTimeout }
        return false
    }

    @Test("Three hundred domains at one silent address are all told after half a minute, at two connections (field A4)")
    func silentAddress() {
        var world = World()
        let waiting = (0..<300).count { world.ask($0) == nil }
        #expect(waiting == 298 && world.grants.count == 2)
        world.now = world.now + .seconds(29)
        let sooner = world.line.patience(with: world.grants[0], hasGreeted: false, at: world.now)
        #expect(sooner == .stay)
        world.now = world.now + .seconds(1)
        let patience = world.line.patience(with: world.grants[0], hasGreeted: false, at: world.now)
        #expect(patience == .timeIsUp)
        let told = world.silent(world.grants[0])
        #expect(told.count == 298 && told.allSatisfy { self.isFailure($0.1) && !$0.0.customer.isPresent })

        // One is still tried, and one more may be; everybody else is told at once.
        let next = world.ask(400)
        let others = (401..<700).map { world.ask($0) }
        guard case .granted? = next else {
            Issue.record("the address is not tried again")
            return
        }
        #expect(others.allSatisfy(self.isFailure))
        world.now = world.now + .seconds(60)
        let later = world.ask(800)
        #expect(later == nil, "what is a minute old is no news")
    }

    @Test("Once an address answers, nobody is told that it failed (field A4)")
    func answers() {
        var world = World()
        _ = (0..<3).map { world.ask($0) }
        #expect(world.silent(world.grants[0]).count == 1)
        let admitted = world.line.succeeded(world.grants[1], at: world.now)
        #expect(admitted.isEmpty)
        while world.grants.count < 3 { _ = world.ask(10) }
        let waits = (0..<2).map { world.ask(20 + $0) }
        #expect(!waits.contains(where: self.isFailure))
        // Another one that fails beside it says nothing of the address.
        #expect(world.silent(world.grants[2]).isEmpty)
    }

    @Test("Of a destination's workers that wait for the address one is told, and the others go (field A4)")
    func workers() {
        var world = World()
        _ = (0..<2).map { world.ask($0) }
        let customer = World.customer()
        _ = (0..<10).map { _ in world.ask(2, for: customer) }
        #expect(customer.places == 10)
        let told = world.silent(world.grants[0])
        #expect(told.count == 10 && told.count { self.isFailure($0.1) } == 1)
        #expect(customer.places == 0)
        _ = world.ask(3)
        let again = world.ask(2, for: customer)
        #expect(!self.isFailure(again), "its workers ask together")
    }

    @Test("Nobody waits longer than five minutes for a connection (field A4)")
    func longestWait() {
        var world = World()
        let customers = (0..<50).map { _ in World.customer() }
        for (number, customer) in customers.enumerated() { _ = world.ask(number, for: customer) }
        let sooner = world.line.expire(at: world.now + .seconds(299))
        #expect(sooner.isEmpty)
        let expired = world.line.expire(at: world.now + .seconds(300))
        #expect(expired.count == 48)
        #expect(customers.count(where: \.isPresent) == 2, "those that are being opened")
    }

    @Test("Few addresses that failed are remembered")
    func bounded() {
        var world = World()
        var failures = RecentFailures()
        for number in 0..<10_000 {
            guard case .granted(let grant)? = world.ask(number, at: .v4(UInt32(number) << 8)) else {
                Issue.record("no room")
                return
            }
            failures.failed(grant, Self.silence, at: world.now)
            world.line.ledger.close(grant, wasEstablished: false, at: world.now)
        }
        #expect(failures.count <= RecentFailures.limit)
    }
}
