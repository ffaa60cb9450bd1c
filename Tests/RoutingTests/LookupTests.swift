import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

/// dane-rules 1 to 12: which questions are asked, and what the answers oblige to.
@Suite("Looking up")
struct LookupTests {
    @Test("dane-rules 1: insecure addresses are never followed by a TLSA query, nor by any other")
    func insecureAddress() {
        let run = Zone {
            MX("example.org", "mx.example.net")
            A("mx.example.net", state: .insecure)
            Fail(.tlsa, .tlsa("mx.example.net"), .serverFailure)
        }.plan()
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.hosts.first?.failure == nil)
        #expect(run.rounds.count == 2)
        #expect(run.asked(.tlsa).isEmpty)
    }

    @Test("dane-rules 2: securely absent TLSA is no DANE", arguments: [DNSAbsence.noData, .nameError])
    func absentTLSA(_ absence: DNSAbsence) {
        let host = Zone {
            MX("example.org", "mx.example.org")
            Absent(.tlsa, .tlsa("mx.example.org"), absence)
        }.host()
        #expect(host?.requirement == .opportunistic)
        #expect(host?.states == HostStates(mx: .secure, address: .secure, tlsa: .absent))
    }

    @Test("dane-rules 2: insecure TLSA is no DANE")
    func insecureTLSA() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", .good, state: .insecure)
            UnsignedDelegation("_tcp.mx.example.org")
        }.host()
        #expect(host?.requirement == .opportunistic)
    }

    @Test(
        "dane-rules 2, 28a: a failed TLSA look-up is never read as absence (RFC 7672 §2.1.2)",
        arguments: [
            DNSFailure.bogus("expired"), .serverFailure, .refused, .unexpectedResponse(4), .timeout, .tooManyAliases,
            .malformed("short"),
        ], RoutePolicy.InsecureMX.allCases)
    func failureIsNotAbsence(_ failure: DNSFailure, _ insecureMX: RoutePolicy.InsecureMX) {
        var policy = RoutePolicy()
        policy.insecureMX = insecureMX
        let host = Zone {
            MX("example.org", "mx.example.org")
            Fail(.tlsa, .tlsa("mx.example.org"), failure)
        }.host(policy: policy)
        #expect(host?.requirement == .unavailable(failure))
        #expect(host?.failure == .dnssecInvalid(DNSQuestion(.tlsa("mx.example.org"), .tlsa), failure))
        #expect(host?.addresses == [])
    }

    @Test("dane-rules 3: the expanded name of a secure alias is the first base domain")
    func expandedFirst() {
        let run = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", via: ["mail.example.net"])
            TLSA("mail.example.net", .good)
            TLSA("mx.example.org", .record(3, 1, 1, fill: 9))
        }.plan()
        #expect(run.hosts.first?.requirement.authentication?.baseDomain == TLSABaseDomain("mail.example.net"))
        #expect(run.asked(.tlsa) == [.tlsa("mail.example.net")])
    }

    @Test("dane-rules 3: the original name counts once the expanded one securely has no TLSA")
    func originalSecond() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", via: ["mail.example.net"])
            TLSA("mx.example.org", .good)
        }.host()
        #expect(host?.requirement.authentication?.baseDomain == TLSABaseDomain("mx.example.org"))
    }

    @Test("dane-rules 3: an error at the expanded name never falls through to the original one")
    func errorDoesNotFallThrough() {
        let run = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", via: ["mail.example.net"])
            Fail(.tlsa, .tlsa("mail.example.net"), .timeout)
            TLSA("mx.example.org", .good)
        }.plan()
        #expect(run.hosts.map(\.requirement) == [.unavailable(.timeout)])
        #expect(run.asked(.tlsa) == [.tlsa("mail.example.net")])
    }

    @Test("dane-rules 3: TLSA at the expanded name that is proven insecure does not hide the original name's")
    func insecureExpanded() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", via: ["mail.example.net"])
            TLSA("mail.example.net", .good, state: .insecure)
            UnsignedDelegation("_tcp.mail.example.net")
            TLSA("mx.example.org", .good)
        }.host()
        #expect(host?.requirement.authentication?.baseDomain == TLSABaseDomain("mx.example.org"))
    }

    @Test("dane-rules 2: a resolver of ours that cannot work is never blamed on the domain, and never absence")
    func resolverUnavailable() {
        let question = DNSQuestion(.tlsa("mx.example.org"), .tlsa)
        let host = Zone {
            MX("example.org", "mx.example.org")
            Fail(.tlsa, question.name, .resolverUnavailable("no trust anchor"))
        }.host()
        #expect(host?.failure == .dnsQueryFailed(question, .resolverUnavailable("no trust anchor")))
        #expect(host?.addresses == [])
    }

    @Test("dane-rules 4: a secure alias into an insecure zone has its TLSA at its own name (RFC 7672 §2.2.2)")
    func secureAliasIntoInsecureZone() {
        let run = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", state: .insecure, via: ["mail.example.net"])
            CNAME("mx.example.org", "mail.example.net")
            TLSA("mx.example.org", .good)
        }.plan()
        #expect(run.hosts.first?.requirement.authentication?.baseDomain == TLSABaseDomain("mx.example.org"))
        #expect(run.hosts.first?.addresses == [.literal("192.0.2.1")])
        #expect(run.asked(.tlsa) == [.tlsa("mx.example.org")])
    }

    @Test("dane-rules 4: an insecure alias leads to no TLSA query")
    func insecureAlias() {
        let run = Zone {
            MX("example.org", "mx.example.com")
            A("mx.example.com", state: .insecure, via: ["mail.example.net"])
            CNAME("mx.example.com", "mail.example.net", state: .insecure)
        }.plan()
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.asked(.cname) == ["mx.example.com"])
        #expect(run.asked(.ds).isEmpty)
        #expect(run.asked(.tlsa).isEmpty)
    }

    @Test("dane-rules 4: a failed look-up of the alias itself skips the host")
    func failedAlias() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", state: .insecure, via: ["mail.example.net"])
            Fail(.cname, "mx.example.org", .serverFailure)
        }.host()
        #expect(host?.failure == .dnssecInvalid(DNSQuestion("mx.example.org", .cname), .serverFailure))
    }

    @Test("dane-rules 5: TLSA records behind an alias count if every hop is secure", arguments: [true, false])
    func aliasedTLSA(_ secure: Bool) {
        let host = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", .good, state: secure ? .secure : .insecure, via: ["_dane.partition.example.net"])
            CNAME(.tlsa("mx.example.org"), "_dane.partition.example.net")
            UnsignedDelegation("partition.example.net")
        }.host()
        #expect((host?.requirement.authentication != nil) == secure)
        #expect((host?.requirement == .opportunistic) == !secure)
        // The base domain is the host still, whatever its records are an alias of.
        #expect((host?.tlsa?.baseDomain.name ?? "mx.example.org") == "mx.example.org")
    }

    @Test("dane-rules 6: TLSA is asked at the MX host and the port of the connection")
    func baseDomainIsTheHost() {
        let run = Zone {
            MX("example.org", "mx.example.net")
            TLSA("example.org", .good, port: 2525)
            TLSA("mx.example.net", .good, port: 2525)
        }.plan(.domain("example.org", port: 2525))
        #expect(run.asked(.tlsa) == ["_2525._tcp.mx.example.net"])
        #expect(run.hosts.first?.requirement.authentication?.baseDomain == TLSABaseDomain("mx.example.net", port: 2525))
    }

    @Test("dane-rules 7: an insecure MX may lead to DANE, which is then reported as insecureMX")
    func insecureMX() {
        let host = Zone {
            MX("example.org", "mx.example.org", state: .insecure)
            TLSA("mx.example.org", .good)
        }.host()
        #expect(host?.requirement.authentication?.records == [.good])
        #expect(host?.trust == .insecureMX)
        #expect(host?.states == HostStates(mx: .insecure, address: .secure, tlsa: .secure))
    }

    @Test("dane-rules 7: the policy `encrypt` demands TLS only")
    func insecureMXEncrypt() {
        var policy = RoutePolicy()
        policy.insecureMX = .encrypt
        let host = Zone {
            MX("example.org", "mx.example.org", state: .insecure)
            TLSA("mx.example.org", .good)
        }.host(policy: policy)
        #expect(host?.requirement == .encrypt)
    }

    @Test("dane-rules 7: the policy `ignore` asks for no TLSA, and leaves secure MX alone")
    func insecureMXIgnore() {
        var policy = RoutePolicy()
        policy.insecureMX = .ignore
        let run = Zone {
            MX("example.org", "mx.example.org", state: .insecure)
            TLSA("mx.example.org", .good)
        }.plan(policy: policy)
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.asked(.tlsa).isEmpty)
        let secure = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", .good)
        }
        #expect(secure.host(policy: policy)?.trust == .endToEnd)
    }

    @Test("dane-rules 8: without MX, securely denied, the domain is its own DANE host")
    func implicitMX() {
        let host = Zone {
            A("example.org")
            TLSA("example.org", .good)
        }.host("example.org")
        #expect(host?.requirement.authentication?.baseDomain == TLSABaseDomain("example.org"))
        #expect(host?.trust == .endToEnd)
    }

    @Test("dane-rules 8: an insecure denial of MX leaves opportunistic TLS")
    func insecureDenial() {
        let run = Zone {
            Absent(.mx, "example.org", state: .insecure)
            A("example.org")
            TLSA("example.org", .good)
        }.plan()
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.asked(.tlsa).isEmpty)
    }

    @Test(
        "dane-rules 8: null MX is final and asks nothing more (RFC 7505)", arguments: [DNSSECState.secure, .insecure])
    func nullMX(_ state: DNSSECState) {
        let null = Zone.Entry(.mx, "example.org", .found([.mx(preference: 0, exchange: nil)], state))
        let run = Zone {
            null
            UnsignedDelegation("example.org")
        }.plan()
        #expect(run.noRoute == .nullMX(state))
        #expect(run.asked.filter { $0.type != .ds } == [DNSQuestion("example.org", .mx)])
        // One without a signature takes the proof that it needs none (rule 12a).
        #expect(run.asked(.ds) == (state == .secure ? [] : ["org", "example.org"]))
    }

    @Test("dane-rules 8: a domain that does not exist, or has no address, takes no mail")
    func noSuchDomain() {
        let missing = Zone {
            Absent(.mx, "example.org", .nameError, state: .insecure)
            UnsignedDelegation("example.org")
        }
        #expect(missing.plan().noRoute == .noSuchDomain(.nameError, .insecure))
        #expect(Zone { Absent(.mx, "example.org") }.plan().noRoute == .noSuchDomain(.noData, .secure))
    }

    @Test("dane-rules 9: the family that validated is used, with DANE")
    func oneFamilyValidates() {
        let ipv4 = Zone {
            MX("example.org", "mx.example.org")
            Fail(.aaaa, "mx.example.org", .bogus("NSEC3 missing"))
            TLSA("mx.example.org", .good)
        }.host()
        #expect(ipv4?.addresses == [.literal("192.0.2.1")])
        #expect(ipv4?.requirement.authentication != nil)
        let ipv6 = Zone {
            MX("example.org", "mx.example.org")
            Fail(.a, "mx.example.org", .serverFailure)
            AAAA("mx.example.org")
            TLSA("mx.example.org", .good)
        }.host()
        #expect(ipv6?.addresses == [.literal("2001:db8::1")])
        #expect(ipv6?.requirement.authentication != nil)
    }

    @Test("dane-rules 9: an insecure family is not used beside a secure one")
    func mixedFamilies() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            AAAA("mx.example.org", state: .insecure)
            TLSA("mx.example.org", .good)
        }.host()
        #expect(host?.addresses == [.literal("192.0.2.1")])
        #expect(host?.requirement.authentication != nil)
    }

    @Test("dane-rules 9: absence of one family and failure of the other is a failure, not a host without address")
    func absentAndFailed() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            Absent(.a, "mx.example.org")
            Fail(.aaaa, "mx.example.org", .timeout)
        }.host()
        #expect(host?.failure == .dnsQueryFailed(DNSQuestion("mx.example.org", .aaaa), .timeout))
        #expect(host?.requirement == .unavailable(.timeout))
    }

    @Test("dane-rules 10: a secure alias of the next-hop domain adds a reference identifier")
    func aliasedNextHop() {
        let host = Zone {
            MX("example.org", "mx.example.net", via: ["mail-domain.example.net"])
            TLSA("mx.example.net", .record(2, 0, 1))
        }.host("mx.example.net")
        let names: [DomainName] = ["mx.example.net", "example.org", "mail-domain.example.net"]
        #expect(host?.requirement.authentication?.referenceIdentifiers == names)
    }

    @Test("dane-rules 10: a bogus MX defers as DNSSEC's fault, any other failure as the DNS's")
    func failedMX() {
        let question = DNSQuestion("example.org", .mx)
        let bogus = Zone { Fail(.mx, "example.org", .bogus("no DS")) }
        #expect(bogus.plan().noRoute == .failed(.dnssecInvalid(question, .bogus("no DS"))))
        for failure in [DNSFailure.serverFailure, .timeout, .refused] {
            let zone = Zone { Fail(.mx, "example.org", failure) }
            #expect(zone.plan().noRoute == .failed(.dnsQueryFailed(question, failure)))
        }
    }

    @Test("dane-rules 11: an address literal asks nothing (field C16)", arguments: [true, false])
    func addressLiteral(isConfigured: Bool) {
        let address = IPAddress.literal("2001:db8::7")
        let hop = isConfigured ? NextHop.address(address, port: 26) : .literal(address, port: 26)
        let run = Zone { MX("example.org", "mx.example.org") }.plan(hop)
        #expect(run.rounds.isEmpty)
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.hosts.first?.addresses == [.literal("2001:db8::7")])
    }

    @Test(
        "dane-rules 11: a configured host has DANE if its address is secure", arguments: [true, false])
    func configuredHost(_ secure: Bool) {
        let run = Zone {
            A("relay.example.net", state: secure ? .secure : .insecure)
            TLSA("relay.example.net", .good, port: 587)
        }.plan(.host("relay.example.net", port: 587))
        #expect(run.asked(.mx).isEmpty)
        #expect((run.hosts.first?.requirement.authentication != nil) == secure)
        #expect(run.asked(.tlsa).isEmpty == !secure)
    }
}
