import DeliveryQueue
import MailModel
import NIOPosix
import TestLiterals
import Testing

@testable import Delivery

/// Who waits for a connection to a receiving host, on a clock that the tests move.
@Suite("Line for connections")
struct SiteLineTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let silence = HostFailure(.connectionTimeout, "no greeting")

    /// A line, and what was said to those who stood in it.
    private struct World {
        var line = SiteLine(ConnectionAdmission(limits: SiteLimits(SiteLimit(connections: 20)), connections: 200))
        var now = SiteLineTests.start
        var grants: [ConnectionGrant] = []
        let source = Egress(nil, helloName: "out.relay.test")

        static func customer() -> SiteCustomer { SiteCustomer(on: MultiThreadedEventLoopGroup.singleton.next()) }

        /// The nth domain asks for a connection to an address; `nil` where it waits now.
        mutating func ask(
            _ number: Int, at address: IPAddress = .v4(0xC000_0201), for customer: SiteCustomer = customer(),
            share: PoolShare = .all
        ) -> SiteLine.Answer? {
            let (site, targets) = (
                ReceivingSite.address(.v4(UInt32(number))), [ConnectionTarget(address, 25, by: [self.source])]
            )
            let (answer, limit) = self.line.ask(
                site, at: targets, for: customer, isPatient: false, share: share, now: self.now)
            if case .granted(let grant)? = answer { self.grants.append(grant) }
            guard answer == nil else { return answer }
            customer.add(1)
            let waiter = SiteWaiter(
                customer: customer, targets: targets, isPatient: false, share: share, limit: limit, since: self.now,
                resume: { _ in })
            self.line.append(waiter, at: site, now: self.now)
            return nil
        }

        /// A connection is given up without an answer. What is said to whom.
        mutating func silent(_ grant: ConnectionGrant) -> [(SiteWaiter, SiteLine.Answer)] {
            _ = self.line.admission.refused(grant, inSilence: true, at: self.now)
            let told = self.line.failed(grant, SiteLineTests.silence, at: self.now)
            self.line.admission.close(grant, wasEstablished: false, at: self.now)
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
        let sooner = world.line.patience(with: world.grants[0], in: .opening(hasGreeted: false), at: world.now)
        #expect(sooner == .stay)
        world.now = world.now + .seconds(1)
        let patience = world.line.patience(with: world.grants[0], in: .opening(hasGreeted: false), at: world.now)
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

    @Test("Who waits for a connection of the site's goes on when the site may have more")
    func moreConnections() {
        func limits(_ connections: Int) -> SiteLimits { SiteLimits(SiteLimit(connections: connections)) }
        var world = World()
        world.line = SiteLine(ConnectionAdmission(limits: limits(1), connections: 200))
        _ = world.ask(1)
        #expect(world.ask(1, at: .v4(0xC000_0202)) == nil && world.grants.count == 1)
        world.line.replace(limits(1))
        #expect(world.line.look(at: world.now).isEmpty)
        world.line.replace(limits(2))
        let told = world.line.look(at: world.now)
        guard told.count == 1, case .granted(let grant) = told[0].1 else {
            Issue.record("\(told.count) were told")
            return
        }
        #expect(grant.address == .v4(0xC000_0202) && world.line.isEmpty)
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
        #expect(customer.slots == 10)
        let told = world.silent(world.grants[0])
        #expect(told.count == 10 && told.count { self.isFailure($0.1) } == 1)
        #expect(customer.slots == 0)
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
                Issue.record("no capacity")
                return
            }
            failures.failed(grant, Self.silence, at: world.now)
            world.line.admission.close(grant, wasEstablished: false, at: world.now)
        }
        #expect(failures.count <= RecentFailures.limit)
    }

    // MARK: Work

    /// A host of its own in a network of its own.
    private static func address(_ number: Int) -> IPAddress { .v4(0x0A00_0001 + UInt32(number) << 8) }

    /// Gives connections up one after the other, and says how many had their turn, and how often a site was looked at.
    private func turns(_ world: inout World, _ count: Int) -> (admitted: Int, looks: Int) {
        let before = world.line.looks
        var admitted = 0
        for _ in 0..<count {
            world.now = world.now + .milliseconds(100)
            let grant = world.grants.removeFirst()
            _ = world.silent(grant)
            let told = world.line.admit(after: grant, at: world.now) + world.line.look(at: world.now)
            for case .granted(let grant) in told.map(\.1) {
                world.grants.append(grant)
                admitted += 1
            }
        }
        return (admitted, world.line.looks - before)
    }

    @Test("Beside 20,000 who wait, each connection that ends costs the same few looks (field A4)")
    func work() {
        var looks: [Int] = []
        for waiting in [600, 20_000] {
            var world = World()
            for number in 0..<waiting { _ = world.ask(number, at: Self.address(number)) }
            let turns = self.turns(&world, 400)
            #expect(turns.admitted >= 390, "\(turns)")
            looks.append(turns.looks)
        }
        #expect(looks[1] <= 400 * 4 && looks[1] <= looks[0] + 400, "\(looks)")
    }

    @Test("So it is beside 20,000 who wait for one network, or one address (field A4)", arguments: [true, false])
    func workAtOnePlace(_ isOneAddress: Bool) {
        var world = World()
        for number in 0..<20_000 {
            _ = world.ask(number, at: .v4(0x0A00_0000 + (isOneAddress ? 1 : UInt32(number % 250))))
        }
        let others = (30_000..<30_100).compactMap { world.ask($0, at: Self.address($0)) == nil ? $0 : nil }
        #expect(others.count < 90, "there are slots elsewhere")
        let before = world.line.looks
        for _ in 0..<50 {
            world.now = world.now + .seconds(2)
            let grant = world.grants.removeFirst()
            world.line.admission.close(grant, wasEstablished: false, at: world.now)
            let told = world.line.admit(after: grant, at: world.now) + world.line.look(at: world.now)
            for case .granted(let grant) in told.map(\.1) { world.grants.append(grant) }
        }
        #expect(world.line.looks - before <= 50 * 8, "\(world.line.looks - before)")
    }

    @Test(
        "A host that took mail comes before all strangers, and of these the newest and the oldest by turns (field A4)")
    func order() throws {
        var world = World()
        let waiting = (0..<100).filter { world.ask($0, at: Self.address($0)) == nil }
        let (oldest, newest) = (try #require(waiting.first), try #require(waiting.last))
        var admitted: [UInt32] = []
        for _ in 0..<4 {
            world.now = world.now + .seconds(1)
            let grant = world.grants.removeFirst()
            world.line.admission.close(grant, wasEstablished: false, at: world.now)
            let told = world.line.admit(after: grant, at: world.now)
            for case .granted(let grant) in told.map(\.1) {
                if case .address(.v4(let number)) = grant.site { admitted.append(number) }
            }
        }
        #expect(Set(admitted.prefix(2)) == [UInt32(oldest), UInt32(newest)])
        // One of those who wait has taken mail by another connection.
        let proven = waiting[waiting.count / 2]
        let grant = ConnectionGrant.proof(of: proven, at: Self.address(proven))
        world.line.admission.delivered(grant, at: world.now)
        let told = world.line.admit(after: grant, isProven: true, at: world.now)
        #expect(told.count == 1)
    }

    // MARK: Mail without a sender

    /// A connection ends. The shares of those who have their turn then.
    private func end(_ world: inout World, _ grant: ConnectionGrant) -> [PoolShare] {
        world.now = world.now + .seconds(1)
        world.line.admission.close(grant, wasEstablished: false, at: world.now)
        let told = world.line.admit(after: grant, at: world.now) + world.line.look(at: world.now)
        let grants = told.compactMap { if case .granted(let grant) = $0.1 { grant } else { nil } }
        world.grants += grants
        return grants.map(\.share)
    }

    @Test(
        "Mail that came later has its turn before mail without a sender, which has its own after all of that (field A3)"
    )
    func nullSendersLast() {
        var world = World()
        let full = (0..<100).filter { world.ask($0, at: Self.address($0)) == nil }
        #expect(full.count > 50)
        for number in 100..<110 { #expect(world.ask(number, at: Self.address(number), share: .nullSender) == nil) }
        var turns: [PoolShare] = []
        while turns.count < full.count + 10, !world.grants.isEmpty {
            turns += self.end(&world, world.grants.removeFirst())
        }
        #expect(turns == full.map { _ in .all } + [PoolShare](repeating: .nullSender, count: 10))
    }

    @Test("At one site, and on one event loop, other mail is first (field A3)")
    func firstAtSite() throws {
        var world = World()
        for _ in 0..<2 { _ = world.ask(1) }
        let reports = (0..<8).map { _ in world.ask(1, share: .nullSender) }
        #expect(reports.allSatisfy { $0 == nil })
        let customer = World.customer()
        #expect(world.ask(1, for: customer) == nil)
        #expect(self.end(&world, world.grants[0]) == [.all])
        #expect(customer.slots == 1)
    }

    @Test("A destination that waits with mail without a sender waits with other mail as well (field A3)")
    func sameDestination() {
        var world = World()
        for _ in 0..<2 { _ = world.ask(1) }
        _ = world.line.succeeded(world.grants[0], at: world.now)
        _ = world.line.admission.refused(world.grants[1], inSilence: false, at: world.now)
        let customer = World.customer()
        #expect(world.ask(1, for: customer, share: .nullSender) == nil)
        guard case .full? = world.ask(1, for: customer, share: .nullSender) else {
            Issue.record("one report waits for the others")
            return
        }
        #expect(world.ask(1, for: customer) == nil)
        guard case .full? = world.ask(1, for: customer) else {
            Issue.record("one message waits for the others")
            return
        }
        #expect(customer.slots == 2)
    }

    @Test("Reports that wait for their half let connections for reports give way, and no others (field A3)")
    func givesWay() {
        var world = World()
        for number in 0..<200 {
            world.now = world.now + .milliseconds(100)
            _ = world.ask(number, at: Self.address(number), share: .nullSender)
        }
        #expect(world.grants.count == 25 && world.line.shortage.nullSenders == 175)
        _ = world.ask(300, at: Self.address(300))
        world.now = world.now + .seconds(8)
        let patience = [world.grants[0], world.grants[25]].map {
            world.line.patience(with: $0, in: .opening(hasGreeted: false), at: world.now)
        }
        #expect(patience == [.giveWay, .stay])
    }

    @Test(
        "Sites of one network that took mail and stall let others through, and wait for each other meanwhile (field A4)"
    )
    func provenNetwork() {
        var world = World()
        func network(_ number: Int) -> IPAddress { .v4(0x0A00_0000 + UInt32(number)) }
        for number in 0..<250 {
            guard case .granted(let grant)? = world.ask(number, at: network(number)) else { continue }
            world.line.admission.delivered(grant, at: world.now)
            world.line.admission.close(grant, wasEstablished: true, at: world.now)
            world.grants.removeAll()
        }
        let waiting = (0..<250).filter { world.ask($0, at: network($0)) == nil }
        #expect(world.grants.count == 37 && waiting.count == 213)
        #expect(world.line.shortage == ConnectionShortage(provenNetwork: 213))
        #expect(world.line.isOwed(by: network(7)) && !world.line.isOwed(by: Self.address(300)))
        let elsewhere = world.ask(300, at: Self.address(300))
        guard case .granted? = elsewhere else {
            Issue.record("one of another network waits")
            return
        }
        world.now = world.now + .seconds(30)
        let stalled = world.grants.removeFirst()
        let patience = world.line.patience(with: stalled, in: .opening(hasGreeted: false), at: world.now)
        #expect(patience == .timeIsUp)
        _ = world.silent(stalled)
        let told = world.line.admit(after: stalled, at: world.now)
        #expect(told.count == 1)
        if case .granted(let grant)? = told.first?.1 { #expect(grant.site == .address(.v4(UInt32(waiting[0])))) }
    }

    @Test("Who waits for a narrowed address has its turn when time has widened the window (field B1)")
    func widening() throws {
        var world = World()
        for number in 0..<2 { _ = world.ask(number) }
        let open = world.grants[0]
        _ = world.line.succeeded(open, at: world.now)
        let refused = world.grants[1]
        let size = world.line.admission.refused(refused, inSilence: false, at: world.now)
        #expect(size == 1)
        world.line.admission.close(refused, wasEstablished: false, at: world.now)
        #expect(world.line.admit(after: refused, at: world.now).isEmpty)
        let waits = world.ask(10)
        #expect(waits == nil)
        world.now = world.now + .seconds(59)
        #expect(world.line.look(at: world.now).isEmpty)
        world.now = world.now + .seconds(2)
        let told = world.line.look(at: world.now)
        #expect(told.count == 1, "nothing happened but time")
    }

    @Test("One that has gone waits nowhere, and the sites that it stood for are looked at anew")
    func withdrawn() {
        var world = World()
        let customer = World.customer()
        for number in 0..<30 { _ = world.ask(number, at: Self.address(number)) }
        let mine = (100..<120).count { world.ask($0, at: Self.address($0), for: customer) == nil }
        #expect(mine > 0 && customer.isPresent)
        let removed = world.line.removeAll(of: customer, at: world.now)
        #expect(removed.count == mine && !customer.isPresent)
        #expect(world.line.removeAll(of: customer, at: world.now).isEmpty)
    }
}

extension ConnectionGrant {
    /// As if a connection to the nth domain's host had been.
    fileprivate static func proof(of number: Int, at address: IPAddress) -> ConnectionGrant {
        var admission = ConnectionAdmission(limits: SiteLimits(SiteLimit(connections: 1)), connections: 10)
        let source = Egress(nil, helloName: "out.relay.test")
        let target = ConnectionTarget(address, 25, by: [source])
        guard
            case .granted(let grant) = admission.open(
                .address(.v4(UInt32(number))), at: [target], now: MonotonicInstant(nanoseconds: 0))
        else { preconditionFailure("an empty admission has capacity") }
        return grant
    }
}
