import DeliveryQueue
import MailModel
import TestLiterals
import Testing

/// Connections to hosts that have not shown that they take mail, on a clock that the tests move: each budget is spent.
@Suite("Connections to strangers")
struct ConnectionBudgetTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    /// A node of 200 connections: 50 being opened, 12 of them in one network and 25 to silent hosts; 100 to strangers in all.
    private struct World {
        var admission = ConnectionAdmission(limits: SiteLimits(SiteLimit(connections: 20)), connections: 200)
        var now = ConnectionBudgetTests.start
        private let sources = [Egress(nil, helloName: "out.relay.test")]

        /// One more to the nth host, which has an address in a network of its own.
        mutating func open(_ number: Int) -> ConnectionGrant? { self.open(number, at: .v4(UInt32(number) << 8 | 1)) }

        mutating func open(_ number: Int, at address: IPAddress) -> ConnectionGrant? {
            let target = ConnectionTarget(address, 25, by: self.sources)
            let answer = self.admission.open(.address(.v4(UInt32(number))), at: [target], now: self.now)
            if case .granted(let grant) = answer { return grant }
            return nil
        }

        mutating func opened(_ number: Int) throws -> ConnectionGrant {
            let grant = self.open(number)
            return try #require(grant)
        }

        /// The nth host has taken mail.
        mutating func prove(_ number: Int, at address: IPAddress? = nil) throws {
            let opened = self.open(number, at: address ?? .v4(UInt32(number) << 8 | 1))
            let grant = try #require(opened)
            self.admission.succeeded(grant, at: self.now)
            self.admission.delivered(grant, at: self.now)
            self.admission.close(grant, wasEstablished: true, at: self.now)
        }

        mutating func fail(_ grant: ConnectionGrant) {
            _ = self.admission.refused(grant, inSilence: true, at: self.now)
            self.admission.close(grant, wasEstablished: false, at: self.now)
        }

        mutating func patience(
            _ grant: ConnectionGrant, strangers: Int, others: Int = 0, hasGreeted: Bool = false
        ) -> ConnectionAdmission.Patience {
            self.patience(grant, .opening(hasGreeted: hasGreeted), strangers: strangers, others: others)
        }

        mutating func patience(
            _ grant: ConnectionGrant, _ phase: ConnectionPhase, strangers: Int, others: Int = 0, takers: Int = 0
        ) -> ConnectionAdmission.Patience {
            self.admission.patience(
                with: grant, in: phase, strangers: strangers, others: { _ in others }, takers: takers, at: self.now)
        }

        /// Opens to so many hosts as fast as the pools allow.
        mutating func openAll(_ numbers: Range<Int>) -> [ConnectionGrant] {
            numbers.compactMap { number in
                self.now = self.now + .milliseconds(320)
                return self.open(number)
            }
        }
    }

    @Test(
        "Hosts that say nothing hold a quarter of all connections, however many they are; one that took mail gets one (field A4)"
    )
    func silentHosts() throws {
        var world = World()
        try world.prove(9999)
        let atOnce = (0..<100).count { world.open($0) != nil }
        #expect(atOnce == 26)
        let opened = world.openAll(100..<2000).count
        #expect(atOnce + opened == 50)
        let healthy = (0..<2).compactMap { _ in world.open(9999) }
        #expect(healthy.count == 2)
    }

    @Test(
        "Hosts that greet and then say nothing hold half of all, however many they are; those that took mail get the rest (field A4)"
    )
    func tarpits() throws {
        var world = World()
        for number in 5000..<5020 { try world.prove(number) }
        var taken = 0
        for number in 0..<2000 {
            world.now = world.now + .milliseconds(100)
            guard let grant = world.open(number) else { continue }
            world.admission.succeeded(grant, at: world.now)
            taken += 1
            #expect(taken <= 51 || world.now >= Self.start + .seconds(5), "half of them at once")
        }
        #expect(taken == 100)
        for number in 5000..<5020 {
            let grant = try world.opened(number)
            world.admission.succeeded(grant, at: world.now)
        }
    }

    @Test("One network of hosts that say nothing holds a quarter of that quarter (field A4)", arguments: [true, false])
    func oneNetwork(_ isIPv6: Bool) throws {
        var world = World()
        let addresses = (0..<200).map { number -> IPAddress in
            isIPv6 ? .v6(0x2001_0DB8_0000_0001, UInt64(number)) : .v4(0xC000_0200 + UInt32(number))
        }
        let opened = addresses.enumerated().count { world.open($0.offset, at: $0.element) != nil }
        #expect(opened == 12)
        let elsewhere = world.open(3000)
        #expect(elsewhere != nil)
    }

    /// So many addresses of one network.
    private static func network(_ isIPv6: Bool, _ count: Int) -> [IPAddress] {
        (0..<count).map { isIPv6 ? .v6(0x2001_0DB8_0000_0001, UInt64($0)) : .v4(0xC000_0200 + UInt32($0)) }
    }

    @Test(
        "Of hosts that took mail, one network of such that then say nothing holds three quarters (field A4)",
        arguments: [true, false])
    func provenNetwork(_ isIPv6: Bool) throws {
        var world = World()
        let addresses = Self.network(isIPv6, 200)
        for (number, address) in addresses.enumerated() { try world.prove(number, at: address) }
        for number in 3000..<3100 { try world.prove(number) }
        let opened = addresses.enumerated().compactMap { world.open($0.offset, at: $0.element) }
        #expect(opened.count == 37)
        let elsewhere = (3000..<3100).count { world.open($0) != nil }
        #expect(elsewhere == 13)
        // An open connection lets relayd open another.
        world.admission.succeeded(opened[0], at: world.now)
        #expect(world.open(100, at: addresses[100]) != nil && world.open(101, at: addresses[101]) == nil)
    }

    @Test(
        "Hosts of one network that took mail, and stall later, hold three quarters of all connections (field A4)",
        arguments: [true, false])
    func provenNetworkStalls(_ isIPv6: Bool) throws {
        var world = World()
        let addresses = Self.network(isIPv6, 250)
        for (number, address) in addresses.enumerated() { try world.prove(number, at: address) }
        for number in 3000..<3100 { try world.prove(number) }
        func stall(_ number: Int, at address: IPAddress) -> ConnectionGrant? {
            guard let grant = world.open(number, at: address) else { return nil }
            world.admission.succeeded(grant, at: world.now)
            return grant
        }
        let held = addresses.enumerated().compactMap { stall($0.offset, at: $0.element) }
        #expect(held.count == 150)
        let elsewhere = (3000..<3100).count { stall($0, at: .v4(UInt32($0) << 8 | 1)) != nil }
        #expect(elsewhere == 50)
        for grant in held.prefix(2) { world.admission.close(grant, wasEstablished: true, at: world.now) }
        #expect((200..<250).count { stall($0, at: addresses[$0]) != nil } == 2)
    }

    @Test(
        "Of hosts that took mail a quarter of all connections may stall while others wait, whatever their networks (field A4)"
    )
    func provenStalls() throws {
        var world = World()
        for number in 0..<60 { try world.prove(number) }
        var grants: [ConnectionGrant] = []
        for number in 0..<60 {
            let grant = try world.opened(number)
            world.admission.succeeded(grant, at: world.now)
            grants.append(grant)
        }
        func patience(_ seconds: Int, isEnding: Bool = false, takers: Int) -> [ConnectionAdmission.Patience] {
            grants.map {
                world.patience(
                    $0, .talking(stalled: .seconds(seconds), isEnding: isEnding), strangers: 100, takers: takers)
            }
        }
        #expect(patience(200, takers: 0).allSatisfy { $0 == .stay }, "nobody waits")
        #expect(patience(29, takers: 100).allSatisfy { $0 == .stay }, "they may yet answer")
        #expect(patience(600, isEnding: true, takers: 100).allSatisfy { $0 == .stay }, "a message may be delivered")
        let answers = patience(30, takers: 4)
        #expect(answers.count { $0 == .timeIsUp } == 4, "no more than wait")
        #expect(patience(30, takers: 4).allSatisfy { $0 == .stay }, "they have not left yet")
        for (grant, answer) in zip(grants, answers) where answer == .timeIsUp {
            world.admission.close(grant, wasEstablished: true, at: world.now)
            #expect(world.admission.standing(of: grant.site, at: grant.address, now: world.now) == .silent)
        }
        grants = zip(grants, answers).filter { $0.1 == .stay }.map(\.0)
        #expect(patience(31, takers: 100).count { $0 == .timeIsUp } == 6)
        #expect(patience(32, takers: 100).allSatisfy { $0 == .stay }, "fifty may")
    }

    @Test(
        "Hosts that were silent before hold half of the quarter, so that there is capacity for those of whom nothing is known (field A4)"
    )
    func silentBefore() throws {
        var world = World()
        for number in 0..<100 { world.fail(try world.opened(number)) }
        let known = world.openAll(0..<100).count
        #expect(known == 25)
        let unknown = world.openAll(100..<200).count
        #expect(unknown == 25)
    }

    @Test("A host that has greeted gives way to nobody, and is not silent, however long it takes then (field A4)")
    func greeted() throws {
        var world = World()
        let grant = try world.opened(1)
        world.now = world.now + .seconds(6)
        let greeted = world.patience(grant, strangers: 100, hasGreeted: true)
        #expect(greeted == .stay)
        world.now = world.now + .seconds(10)
        // It is being connected to once more, without TLS.
        let again = world.patience(grant, strangers: 100)
        #expect(again == .stay)
        world.now = world.now + .seconds(20)
        let atLast = world.patience(grant, strangers: 100, others: 100, hasGreeted: true)
        #expect(atLast == .timeIsUp)
        world.fail(grant)
        let standing = world.admission.standing(of: grant.site, at: grant.address, now: world.now)
        #expect(standing == .fresh)
    }

    @Test("An address that greets everybody and then says nothing holds a quarter of the half for strangers (field A4)")
    func tarpitAddress() throws {
        var world = World()
        var grants: [ConnectionGrant] = []
        for number in 0..<100 {
            guard let grant = world.open(number, at: .v4(0xC000_0201)) else { continue }
            world.admission.succeeded(grant, at: world.now)
            grants.append(grant)
        }
        #expect(grants.count == 25)
        // Its neighbour is the same network's; others have free slots.
        let neighbour = world.open(200, at: .v4(0xC000_0202))
        #expect(neighbour == nil)
        let elsewhere = (300..<375).count { number in
            world.now = world.now + .milliseconds(600)
            guard let grant = world.open(number) else { return false }
            world.admission.succeeded(grant, at: world.now)
            return true
        }
        #expect(elsewhere == 75)
        // What takes mail is nobody's burden.
        world.admission.delivered(grants[0], at: world.now)
        let proven = world.open(0, at: .v4(0xC000_0201))
        #expect(proven != nil)
        world.admission.close(grants[1], wasEstablished: true, at: world.now)
        world.now = world.now + .seconds(1)
        let freed = world.open(201, at: .v4(0xC000_0202))
        #expect(freed != nil)
    }

    @Test("Where there is no capacity at one address of a host, its other addresses are tried (field A4)")
    func otherAddress() throws {
        var world = World()
        let network = (0..<12).compactMap { world.open($0, at: .v4(0xC000_0200 + UInt32($0))) }
        #expect(network.count == 12)
        let source = Egress(nil, helloName: "out.relay.test")
        let targets = [0xC000_02FF, 0xC633_6401].map { ConnectionTarget(.v4($0), 25, by: [source]) }
        let site = ReceivingSite.address(.v4(100))
        let inFullNetwork = world.admission.open(site, at: Array(targets.prefix(1)), now: world.now)
        #expect(inFullNetwork == .full(.network(isProven: false)))
        guard case .granted(let grant) = world.admission.open(site, at: targets, now: world.now) else {
            Issue.record("the second address is not tried")
            return
        }
        #expect(grant.address == targets[1].address)
        // The second may have one more; then it is what is waited for, unless the first is nearer.
        _ = world.admission.open(site, at: targets, now: world.now)
        let full = world.admission.open(site, at: targets, now: world.now)
        #expect(full == .full(.network(isProven: false)))
    }

    @Test("What is closed, opened or proven gives its slot back")
    func givenBack() throws {
        var world = World()
        for round in 0..<5 {
            let grants = world.openAll(round * 100..<round * 100 + 50)
            #expect(grants.count == 50)
            for grant in grants.prefix(25) {
                world.admission.succeeded(grant, at: world.now)
                world.admission.delivered(grant, at: world.now)
                world.admission.close(grant, wasEstablished: true, at: world.now)
            }
            for grant in grants.dropFirst(25) { world.admission.close(grant, wasEstablished: false, at: world.now) }
        }
    }

    @Test(
        "A stranger that has said nothing for eight seconds gives way to another, and no more give way than wait (field A4)"
    )
    func givesWay() throws {
        var world = World()
        let grants = (0..<25).compactMap { world.open($0) }
        world.now = world.now + .milliseconds(7900)
        let tooEarly = grants.allSatisfy { world.patience($0, strangers: 40) == .stay }
        #expect(tooEarly)
        world.now = world.now + .milliseconds(200)
        let nobodyWaits = grants.allSatisfy { world.patience($0, strangers: 0) == .stay }
        #expect(nobodyWaits)
        let gaveWay = grants.count { world.patience($0, strangers: 10) == .giveWay }
        #expect(gaveWay == 10)
        for grant in grants { world.admission.close(grant, wasEstablished: false, at: world.now) }
        // The next time it has longer.
        let again = try world.opened(0)
        world.now = world.now + .seconds(29)
        let sooner = world.patience(again, strangers: 10, others: 10)
        #expect(sooner == .stay)
        world.now = world.now + .seconds(1)
        let alone = world.patience(again, strangers: 0, others: 0)
        #expect(alone == .stay)
        let whileOthersWait = world.patience(again, strangers: 0, others: 1)
        #expect(whileOthersWait == .timeIsUp)
    }

    @Test(
        "A host that took mail has thirty seconds while others wait, and one that is open is left in peace (field A4)")
    func proven() throws {
        var world = World()
        try world.prove(1)
        let (slow, open) = (try world.opened(1), try world.opened(2))
        world.admission.succeeded(open, at: world.now)
        world.now = world.now + .seconds(10)
        let before = world.patience(slow, strangers: 10, others: 10)
        #expect(before == .stay)
        world.now = world.now + .seconds(20)
        let whileOpen = world.patience(open, strangers: 10, others: 10)
        #expect(whileOpen == .stay)
        let atLast = world.patience(slow, strangers: 10, others: 10)
        #expect(atLast == .timeIsUp)
    }

    @Test("A connection in clear after one that stalled in TLS has thirty seconds of its own (field A4, C5)")
    func retries() throws {
        var world = World()
        let grant = try world.opened(1)
        world.now = world.now + .seconds(30)
        let overTLS = world.patience(grant, strangers: 0, others: 1, hasGreeted: true)
        #expect(overTLS == .timeIsUp)
        world.admission.retries(grant, at: world.now)
        world.now = world.now + .seconds(29)
        let sooner = world.patience(grant, strangers: 0, others: 1)
        #expect(sooner == .stay)
        world.now = world.now + .seconds(1)
        let inClear = world.patience(grant, strangers: 0, others: 1)
        #expect(inClear == .timeIsUp)
        // It leaves for one that waits, and counts once.
        let other = try world.opened(2)
        world.now = world.now + .seconds(30)
        let forOne = world.patience(other, strangers: 0, others: 1)
        #expect(forOne == .stay)
        let forTwo = world.patience(other, strangers: 0, others: 2)
        #expect(forTwo == .timeIsUp)
    }

    @Test("What a host has shown counts for a day, or an hour")
    func standings() throws {
        var world = World()
        try world.prove(1)
        world.fail(try world.opened(2))
        func standing(_ number: Int) -> HostStanding {
            world.admission.standing(
                of: .address(.v4(UInt32(number))), at: .v4(UInt32(number) << 8 | 1), now: world.now)
        }
        #expect([1, 2, 3].map(standing) == [.proven, .silent, .fresh])
        world.now = world.now + .seconds(3601)
        #expect([1, 2].map(standing) == [.proven, .fresh])
        world.now = world.now + .seconds(86_400)
        #expect(standing(1) == .fresh)
    }

    @Test(
        "Of thousands of silent hosts one leaves every tenth of a second, so that who comes later is not kept (field A4)"
    )
    func staggered() throws {
        var world = World()
        var (opened, longest, last) = ([ConnectionGrant](), Duration.zero, world.now)
        var next = 0
        while world.now < Self.start + .seconds(120) {
            world.now = world.now + .milliseconds(20)
            let waited = opened.filter { world.patience($0, strangers: 100) == .giveWay }
            for grant in waited { world.admission.close(grant, wasEstablished: false, at: world.now) }
            opened.removeAll(where: waited.contains)
            while let grant = world.open(next) {
                opened.append(grant)
                longest = max(longest, world.now - last)
                (last, next) = (world.now, next + 1)
            }
        }
        #expect(longest <= .milliseconds(100) && opened.count <= 50 && next >= 1200, "\(longest), \(next)")
    }

    @Test("A stranger that stalls after its greeting is given up after half a minute while others wait (field A4)")
    func stalls() throws {
        var world = World()
        try world.prove(9999)
        let (stranger, proven) = (try world.opened(1), try world.opened(9999))
        for grant in [stranger, proven] { world.admission.succeeded(grant, at: world.now) }
        func patience(_ grant: ConnectionGrant, _ stalled: Int, strangers: Int) -> ConnectionAdmission.Patience {
            world.patience(grant, .talking(stalled: .seconds(stalled), isEnding: false), strangers: strangers)
        }
        #expect(patience(stranger, 29, strangers: 10) == .stay)
        #expect(patience(stranger, 200, strangers: 0) == .stay, "nobody waits")
        #expect(patience(proven, 200, strangers: 10) == .stay, "it has taken mail")
        #expect(patience(stranger, 30, strangers: 10) == .timeIsUp)
        #expect(world.admission.standing(of: stranger.site, at: stranger.address, now: world.now) == .silent)
        // One that answers each command just in time does not stay for ever, either.
        let drip = try world.opened(2)
        world.admission.succeeded(drip, at: world.now)
        world.now = world.now + .seconds(299)
        #expect(patience(drip, 1, strangers: 10) == .stay)
        world.now = world.now + .seconds(1)
        #expect(patience(drip, 1, strangers: 10) == .timeIsUp)
    }

    @Test(
        "Of strangers that do not answer a final dot a quarter may stay, since the message may be delivered (field A4)")
    func finalDots() throws {
        var world = World()
        let grants = world.openAll(0..<40)
        #expect(grants.count == 40)
        for grant in grants { world.admission.succeeded(grant, at: world.now) }
        let phase = ConnectionPhase.talking(stalled: .seconds(30), isEnding: true)
        // Each is asked, and then, when all are known, again.
        let first = grants.map { world.patience($0, phase, strangers: 100) }
        #expect(first.count { $0 == .timeIsUp } == 15 && first.prefix(25).allSatisfy { $0 == .stay })
        for (grant, answer) in zip(grants, first) where answer == .timeIsUp {
            world.admission.close(grant, wasEstablished: true, at: world.now)
        }
        let second = grants.prefix(25).map { world.patience($0, phase, strangers: 100) }
        #expect(second.allSatisfy { $0 == .stay })
        world.admission.delivered(grants[0], at: world.now)
        let proven = world.patience(grants[0], phase, strangers: 100)
        #expect(proven == .stay)
    }

    @Test("A host that stalls right behind its greeting leaves the pool of those being opened to others (field A4)")
    func stallsAtHello() throws {
        var world = World()
        let greeted = world.openAll(0..<50)
        #expect(greeted.count == 50 && world.open(60) == nil)
        for grant in greeted { #expect(world.patience(grant, strangers: 0, hasGreeted: true) == .stay) }
        world.now = world.now + .seconds(1)
        let others = world.openAll(100..<200)
        #expect(others.count == 50, "half of all are for strangers, in whatever state")
        // Each is counted once, whatever becomes of it.
        for grant in greeted.prefix(25) { world.admission.succeeded(grant, at: world.now) }
        for grant in greeted { world.admission.close(grant, wasEstablished: false, at: world.now) }
        for grant in others { world.admission.close(grant, wasEstablished: false, at: world.now) }
        #expect(world.openAll(300..<500).count == 50)
    }
}
