import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

/// dane-rules 12, 23 and 27, and how hosts are ordered.
@Suite("Limits and several hosts")
struct LimitTests {
    private static func names(_ count: Int) -> [DomainName] { (0..<count).map { "mx\($0).example.org" } }

    @Test("dane-rules 12: of 101 MX the best 100 are a route (RFC 5321 §5.1) (field C8)", arguments: [100, 101, 3_000])
    func manyExchangers(_ count: Int) {
        let names = Self.names(count)
        let records = names.enumerated().map { DNSRecord.mx(preference: UInt16(count - $0), exchange: $1) }
        let run = Zone { Zone.Entry(.mx, "example.org", .found(records, .secure)) }.plan()
        #expect(run.noRoute == nil)
        #expect(run.hosts.map(\.name) == names.reversed().prefix(100).map(\.self))
    }

    @Test("Our own place counts wherever it stands among 101 MX (RFC 5321 §5.1) (field C8)")
    func ownPlaceAmongMany() {
        let records = Self.names(101).map { DNSRecord.mx(preference: 10, exchange: $0) }
        var policy = RoutePolicy()
        policy.ownNames = ["mx100.example.org"]
        let run = Zone { Zone.Entry(.mx, "example.org", .found(records, .secure)) }.plan(policy: policy)
        #expect(run.noRoute == .failed(.routingLoop("example.org")))
    }

    @Test(
        "dane-rules 12: of more than 30 addresses the first of each family are used (field C8)",
        arguments: [(1, 29, 1, 29), (1, 30, 1, 29), (31, 0, 30, 0), (0, 31, 0, 30), (40, 40, 15, 15), (20, 14, 16, 14)])
    func manyAddresses(_ v6: Int, _ v4: Int, _ used6: Int, _ used4: Int) {
        let ipv4 = (0..<UInt32(v4)).map { DNSRecord.address(.v4(0xC000_0200 + $0)) }
        let ipv6 = (0..<v6).map { DNSRecord.address(.literal("2001:db8::\(String($0 + 1, radix: 16))")) }
        let host = Zone {
            MX("example.org", "mx.example.org")
            v4 == 0 ? Absent(.a, "mx.example.org") : Zone.Entry(.a, "mx.example.org", .found(ipv4, .secure))
            v6 == 0 ? Absent(.aaaa, "mx.example.org") : Zone.Entry(.aaaa, "mx.example.org", .found(ipv6, .secure))
        }.host()
        let expected = (ipv6.prefix(used6) + ipv4.prefix(used4)).map(DNSAnswer.address)
        #expect(host?.failure == nil)
        #expect(host?.addresses == expected)
    }

    @Test("dane-rules 12: 16 alias hops are followed, 17 are a named failure", arguments: [16, 17])
    func tooManyAliases(_ count: Int) {
        let aliases = Self.names(count)
        let viaMX = Zone { MX("example.org", "mx.example.org", via: aliases) }.plan()
        let viaAddress = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", via: aliases)
        }.host()
        let viaTLSA = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", .good, via: aliases)
        }.host()
        if count == 16 {
            #expect(viaMX.hosts.count == 1)
            #expect(viaAddress?.failure == nil)
            #expect(viaTLSA?.requirement.authentication != nil)
        } else {
            #expect(viaMX.noRoute == .failed(.overLimit(DNSQuestion("example.org", .mx), count: 17)))
            #expect(viaAddress?.failure == .overLimit(DNSQuestion("mx.example.org", .a), count: 17))
            #expect(viaTLSA?.requirement == .unavailable(.tooManyAliases))
        }
    }

    @Test("dane-rules 12: an alias loop is a failure, and ends")
    func aliasLoop() {
        let question = DNSQuestion("example.org", .mx)
        let run = Zone { Fail(.mx, "example.org", .tooManyAliases) }.plan()
        #expect(run.noRoute == .failed(.dnsQueryFailed(question, .tooManyAliases)))
    }

    @Test("An MX answer without an MX is malformed, never a domain without MX")
    func emptyAnswer() {
        let run = Zone { Zone.Entry(.mx, "example.org", .found([], .secure)) }.plan()
        #expect(
            run.noRoute
                == .failed(.dnsQueryFailed(DNSQuestion("example.org", .mx), .malformed("no MX record in the answer"))))
    }

    @Test("An address answer without an address is a failure that is retried, never a domain without address")
    func emptyAddresses() {
        let run = Zone { Zone.Entry(.a, "example.org", .found([], .secure)) }.plan()
        let question = DNSQuestion("example.org", .a)
        #expect(run.hosts.map(\.failure) == [.dnsQueryFailed(question, .malformed("no address in the answer"))])
    }

    @Test("A name too long to stand below _25._tcp has no TLSA records, and needs no question")
    func longName() {
        let label = String(repeating: "a", count: 60)
        let name: DomainName = "\(label).\(label).\(label).\(label).example"
        let run = Zone { MX("example.org", name) }.plan()
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.asked(.tlsa).isEmpty)
    }

    @Test("dane-rules 23: each host is decided by itself, and the preference order stays")
    func mixedHosts() {
        let run = Zone {
            MX("example.org", "a.example.org", "b.example.org", "c.example.org", "d.example.org")
            TLSA("b.example.org", .good)
            Fail(.tlsa, .tlsa("c.example.org"), .serverFailure)
            TLSA("d.example.org", .record(0, 0, 1))
        }.plan()
        #expect(run.hosts.map(\.name) == ["a.example.org", "b.example.org", "c.example.org", "d.example.org"])
        #expect(run.hosts[0].requirement == .opportunistic)
        #expect(run.hosts[1].requirement.authentication?.records == [.good])
        #expect(run.hosts[2].requirement == .unavailable(.serverFailure))
        #expect(run.hosts[3].requirement == .encrypt)
    }

    @Test("A host is looked up when its turn comes, and what can be asked at once is asked at once")
    func rounds() {
        let run = Zone { MX("example.org", "a.example.org", "b.example.org") }.plan()
        #expect(
            run.rounds == [
                [DNSQuestion("example.org", .mx)],
                [DNSQuestion("a.example.org", .a), DNSQuestion("a.example.org", .aaaa)],
                [DNSQuestion(.tlsa("a.example.org"), .tlsa)],
                [DNSQuestion("b.example.org", .a), DNSQuestion("b.example.org", .aaaa)],
                [DNSQuestion(.tlsa("b.example.org"), .tlsa)],
            ])
    }

    @Test("Hosts of equal preference are shuffled, and no others (RFC 5321 §5.1)")
    func shuffling() {
        let records = Self.names(8).enumerated().map { DNSRecord.mx(preference: $0 < 6 ? 10 : 5, exchange: $1) }
        let answers = [DNSQuestion("example.org", .mx): DNSAnswer.found(records, .secure)]
        guard case .hosts(let hosts) = RoutePlanning(to: .domain("example.org")).step(answers) else {
            Issue.record("no hosts")
            return
        }
        #expect(hosts.map(\.name) == [6, 7, 0, 1, 2, 3, 4, 5].map { "mx\($0).example.org" })
        var generator = Counting()
        let orders = (0..<20).map { _ in
            var mxOrder = MXOrder(hosts, using: &generator)
            return hosts.compactMap { _ in mxOrder.next() }
        }
        #expect(Set(orders.map { $0.map(\.name) }).count > 1)
        #expect(orders.allSatisfy { $0.map(\.preference) == hosts.map(\.preference) })
        #expect(orders.allSatisfy { Set($0) == Set(hosts) })
    }

    @Test("Our own place in the MX list ends it; being the best MX ourselves is a loop (RFC 5321 §5.1)")
    func ownNames() {
        let zone = Zone { MX("example.org", "a.example.org", "b.example.org", "c.example.org") }
        var policy = RoutePolicy()
        policy.ownNames = ["b.example.org"]
        #expect(zone.plan(policy: policy).hosts.map(\.name) == ["a.example.org"])
        policy.ownNames = ["a.example.org"]
        #expect(zone.plan(policy: policy).noRoute == .failed(.routingLoop("example.org")))
    }

    @Test(
        "An MX host is absent for good only if both families are denied (RFC 5321 §5.1) (field C9)",
        arguments: [DNSAbsence.noData, .nameError], [DNSSECState.secure, .insecure])
    func absentHost(_ absence: DNSAbsence, _ state: DNSSECState) {
        let zone = Zone {
            MX("example.org", "a.example.net")
            Absent(.a, "a.example.net", absence, state: state)
            Absent(.aaaa, "a.example.net", absence, state: state)
            UnsignedDelegation("example.net")
        }
        #expect(zone.plan().hosts.map(\.failure) == [.noSuchHost("a.example.net")])
        for families in [AddressFamilies.ipv4, .ipv6] {
            var policy = RoutePolicy()
            policy.families = families
            #expect(zone.plan(policy: policy).hosts.map(\.failure) == [.noAddress("a.example.net")])
        }
        #expect(zone.plan(.host("a.example.net")).hosts.map(\.failure) == [.noAddress("a.example.net")])
        let failed = Zone {
            MX("example.org", "a.example.net")
            Absent(.a, "a.example.net", absence, state: state)
            Fail(.aaaa, "a.example.net", .serverFailure)
        }
        let question = DNSQuestion("a.example.net", .aaaa)
        #expect(failed.plan().hosts.map(\.failure) == [.dnsQueryFailed(question, .serverFailure)])
    }

    @Test("Of what keeps a host from being used only its absence is an answer (field C9)")
    func absences() {
        let question = DNSQuestion("a.example.net", .a)
        let failures: [RouteFailure] = [
            .noSuchHost("a.example.net"), .noAddress("a.example.net"), .dnssecInvalid(question, .bogus("expired")),
            .dnsQueryFailed(question, .timeout), .overLimit(question, count: 17), .routingLoop("a.example.net"),
            .loopback("a.example.net"),
        ]
        #expect(failures.map(\.isAbsence) == [true, true, false, false, false, false, false])
    }

    @Test("A host without address is skipped, and the next one used")
    func hostWithoutAddress() {
        let run = Zone {
            MX("example.org", "a.example.org", "b.example.org")
            Absent(.a, "a.example.org")
        }.plan()
        #expect(run.hosts.map(\.failure) == [.noSuchHost("a.example.org"), nil])
    }
}

extension DNSAnswer {
    fileprivate static func address(_ record: DNSRecord) -> IPAddress {
        if case .address(let address) = record { address } else { .v4(0) }
    }
}

/// The simplest generator: a linear congruence from a fixed seed.
private struct Counting: RandomNumberGenerator {
    var state: UInt64 = 42
    mutating func next() -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return self.state ^ (self.state >> 31)
    }
}
