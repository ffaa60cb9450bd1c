import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

/// hostile-input 24, and which families are asked for.
@Suite("Own addresses and families")
struct OwnAddressTests {
    private var policy: RoutePolicy {
        var policy = RoutePolicy()
        policy.ownAddresses = [.literal("203.0.113.9"), .literal("2001:db8::9")]
        return policy
    }

    @Test(
        "hostile-input 24: an MX host on loopback, or at no address, is nowhere",
        arguments: ["127.0.0.1", "127.200.3.4", "0.0.0.0"])
    func loopback(_ address: String) {
        let run = Zone {
            MX("example.org", "a.example.org", "b.example.org")
            A("a.example.org", address)
        }.plan(policy: self.policy)
        #expect(run.hosts.map(\.failure) == [.loopback("a.example.org"), nil])
    }

    @Test("hostile-input 24: the same in IPv6, and for IPv4 in IPv6", arguments: ["::1", "::", "::ffff:127.0.0.1"])
    func loopbackIPv6(_ address: String) {
        let zone = Zone {
            MX("example.org", "a.example.org")
            Absent(.a, "a.example.org")
            AAAA("a.example.org", address)
        }
        #expect(zone.plan(policy: self.policy).hosts.map(\.failure) == [.loopback("a.example.org")])
    }

    @Test("hostile-input 24: a literal is no way to this system, though an operator's address is (field C16)")
    func literals() {
        for address in ["127.0.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1"].map(IPAddress.literal) {
            let run = Zone {}.plan(.literal(address), policy: self.policy)
            #expect(run.noRoute == .failed(.loopback(DomainName(literal: address))))
            #expect(Zone {}.plan(.address(address), policy: self.policy).hosts.first?.addresses == [address])
        }
        for address in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::9"].map(IPAddress.literal) {
            let run = Zone {}.plan(.literal(address), policy: self.policy)
            #expect(run.noRoute == .failed(.routingLoop(DomainName(literal: address))))
        }
    }

    @Test("hostile-input 24: of a host with other addresses only those are used")
    func mixed() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", "127.0.0.1")
            AAAA("mx.example.org")
        }.host(policy: self.policy)
        #expect(host?.addresses == [.literal("2001:db8::1")])
    }

    @Test("hostile-input 24: where a whole world for tests is on one machine, loopback is a place like others")
    func loopbackAllowed() {
        var policy = self.policy
        policy.allowsLoopback = true
        policy.ownAddresses.insert(.loopback)
        let host = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", "127.0.0.1")
        }.host(policy: policy)
        #expect(host?.addresses == [.loopback])
    }

    @Test("hostile-input 24: an MX host at our own address ends the route (RFC 5321 §5.1)")
    func ownAddress() {
        let run = Zone {
            MX("example.org", "a.example.org", "b.example.org", "c.example.org")
            A("b.example.org", "203.0.113.9")
            TLSA("b.example.org", .good)
        }.plan(policy: self.policy)
        #expect(run.hosts.map(\.failure) == [nil, .routingLoop("b.example.org")])
        #expect(!run.asked(.a).contains("c.example.org") && !run.asked(.tlsa).contains(.tlsa("b.example.org")))
    }

    @Test("hostile-input 24: so it is for a domain without MX, by address and by name")
    func implicitMX() {
        let byAddress = Zone {
            Absent(.mx, "example.org")
            A("example.org", "203.0.113.9")
        }
        #expect(byAddress.plan(policy: self.policy).hosts.map(\.failure) == [.routingLoop("example.org")])
        var policy = self.policy
        policy.ownNames = ["example.org"]
        let byName = Zone {
            Absent(.mx, "example.org")
            A("example.org")
        }
        #expect(byName.plan(policy: policy).noRoute == .failed(.routingLoop("example.org")))
    }

    @Test("What the operator configured is the operator's word")
    func configured() {
        let zone = Zone { A("mail.internal", "127.0.0.1") }
        #expect(zone.plan(.host("mail.internal"), policy: self.policy).hosts.map(\.failure) == [nil])
        #expect(zone.plan(.address(.loopback), policy: self.policy).hosts.map(\.failure) == [nil])
    }

    @Test("Only the families that may be used are asked for; a domain without those is not said to be none")
    func families() {
        var policy = RoutePolicy()
        policy.families = .ipv4
        let zone = Zone {
            Absent(.mx, "example.org")
            AAAA("example.org")
        }
        #expect(zone.plan().hosts.map(\.failure) == [nil])
        let run = zone.plan(policy: policy)
        #expect(run.asked(.aaaa).isEmpty)
        #expect(run.hosts.map(\.failure) == [.noAddress("example.org")])
        policy.families = .ipv6
        #expect(zone.plan(policy: policy).asked(.a).isEmpty)
    }

    @Test("A failure of our own resolver is told from theirs (rule 38)")
    func ourResolver() {
        let ours = Zone {
            MX("example.org", "mx.example.org")
            Fail(.a, "mx.example.org", .resolverUnavailable("busy"))
        }
        #expect(ours.host()?.failure?.isOurResolvers == true)
        let theirs = Zone {
            MX("example.org", "mx.example.org")
            Fail(.a, "mx.example.org", .timeout)
        }
        #expect(theirs.host()?.failure?.isOurResolvers == false)
    }
}
