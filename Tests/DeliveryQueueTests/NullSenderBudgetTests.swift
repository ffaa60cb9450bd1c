import DeliveryQueue
import MailModel
import TestLiterals
import Testing

/// Mail without a sender holds half of each pool at most: each half is spent, and what other mail may have beside it.
@Suite("Connections for mail without a sender")
struct NullSenderBudgetTests {
    /// A node of 200 connections: 50 being opened to hosts of either kind, 12 of them in one network; 100 to strangers in all.
    private struct World {
        var admission = ConnectionAdmission(limits: SiteLimits(SiteLimit(connections: 20)), connections: 200)
        var now = MonotonicInstant(nanoseconds: 5_000_000_000)
        private let sources = [Egress(nil, helloName: "out.relay.test")]

        mutating func ask(_ number: Int, _ share: PoolShare, at address: IPAddress? = nil) -> ConnectionAdmission.Answer
        {
            // Slow enough for a pool that is taken one by one.
            self.now = self.now + .milliseconds(700)
            let target = ConnectionTarget(address ?? .v4(UInt32(number) << 8 | 1), 25, by: self.sources)
            return self.admission.open(.address(.v4(UInt32(number))), at: [target], for: share, now: self.now)
        }

        /// Connections to the hosts of these numbers, as many as there may be; each has a network of its own.
        mutating func open(
            _ numbers: Range<Int>, _ share: PoolShare, at address: (Int) -> IPAddress? = { _ in nil }
        ) -> [ConnectionGrant] {
            numbers.compactMap {
                if case .granted(let grant) = self.ask($0, share, at: address($0)) { grant } else { nil }
            }
        }

        mutating func prove(_ numbers: Range<Int>, at address: (Int) -> IPAddress? = { _ in nil }) {
            for number in numbers {
                for grant in self.open(number..<number + 1, .all, at: address) {
                    self.admission.succeeded(grant, at: self.now)
                    self.admission.delivered(grant, at: self.now)
                    self.admission.close(grant, wasEstablished: true, at: self.now)
                }
            }
        }
    }

    @Test("Of those being opened to hosts that say nothing it holds half, and other mail gets the rest (field A3)")
    func beingOpened() throws {
        var world = World()
        let reports = world.open(0..<300, .nullSender)
        #expect(reports.count == 25)
        let full = world.ask(400, .nullSender)
        #expect(full == .full(.nullSenderPool(.fresh)))
        let mail = world.open(500..<800, .all)
        #expect(mail.count == 25)
        // What all may have is all that there is.
        world.admission.close(reports[0], wasEstablished: false, at: world.now)
        #expect(world.open(900..<910, .all).count == 1)
        let last = world.ask(1000, .nullSender)
        #expect(last == .full(.pool(.fresh)))
    }

    @Test("Of those to hosts that greet and then stall it holds half, too (field A3)")
    func unproven() throws {
        var world = World()
        var held: [ConnectionGrant] = []
        for number in 0..<300 {
            for grant in world.open(number..<number + 1, .nullSender) {
                world.admission.succeeded(grant, at: world.now)
                held.append(grant)
            }
        }
        #expect(held.count == 50)
        // One that takes a message gives its slot to another, once.
        world.admission.delivered(held[0], at: world.now)
        world.admission.close(held[0], wasEstablished: true, at: world.now)
        #expect(world.open(400..<410, .nullSender).count == 1)
        #expect(world.open(500..<600, .all).count == 49, "these say nothing, beside the one above")
    }

    @Test("Of those in one network it holds half (field A3)")
    func oneNetwork() throws {
        var world = World()
        let address = { (number: Int) -> IPAddress? in .v4(0xC000_0200 + UInt32(number)) }
        #expect(world.open(0..<50, .nullSender, at: address).count == 6)
        let full = world.ask(60, .nullSender, at: address(60))
        #expect(full == .full(.nullSenderNetwork(isProven: false)))
        #expect(world.open(100..<150, .all, at: address).count == 6)
    }

    @Test("Of those being opened to hosts that take mail it holds half (field A3)")
    func proven() throws {
        var world = World()
        world.prove(0..<200)
        let reports = world.open(0..<100, .nullSender)
        #expect(reports.count == 25)
        let full = world.ask(100, .nullSender)
        #expect(full == .full(.nullSenderPool(.proven)))
        #expect(world.open(100..<200, .all).count == 25)
        // An open connection lets relayd open others.
        for grant in reports { world.admission.succeeded(grant, at: world.now) }
        #expect(world.open(50..<90, .nullSender).count == 25)
    }

    @Test("Of those in one network of hosts that take mail it holds three quarters of its half (field A3, A4)")
    func provenNetwork() throws {
        var world = World()
        let address = { (number: Int) -> IPAddress? in .v4(0xC000_0200 + UInt32(number)) }
        world.prove(0..<200, at: address)
        world.prove(300..<400)
        let reports = world.open(0..<200, .nullSender, at: address)
        #expect(reports.count == 18)
        let full = world.ask(100, .nullSender, at: address(100))
        #expect(full == .full(.nullSenderNetwork(isProven: true)))
        #expect(world.open(300..<400, .nullSender).count == 7, "other reports have the rest of their half")
        #expect(world.open(100..<200, .all, at: address).count == 19, "as much as the network may have")
        for grant in reports { world.admission.succeeded(grant, at: world.now) }
        #expect(world.open(0..<50, .nullSender, at: address).count == 18)
    }

    @Test("A node of few connections has one for it all the same (field A3)", arguments: [1, 2, 8])
    func few(_ connections: Int) {
        let sizes = ConnectionAdmission.poolSizes(connections: connections, share: .nullSender)
        let all = [
            sizes.opening, sizes.openingPerNetwork, sizes.unproven, sizes.unprovenPerNetwork,
            sizes.provenOpeningPerNetwork, sizes.perNetwork,
        ]
        #expect(all.min() == 1)
        #expect(sizes.unproven <= max(1, connections / 4))
    }
}
