import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

/// dane-rules 12a: who is between us and a signed zone can leave signatures out, and a validator that gives up then says
/// "insecure". That is believed only where DS is denied, by a denial that holds, on the way down.
@Suite("Insecure below secure needs its proof")
struct InsecurityProofTests {
    /// A host with secure addresses, and a TLSA answer that somebody stripped of its signatures.
    private func stripped(_ entry: Zone.Entry? = nil, _ other: Zone.Entry? = nil) -> Zone.Run {
        let absent = Absent(.tlsa, .tlsa("mx.example.org"), state: .insecure)
        return Zone {
            MX("example.org", "mx.example.org")
            absent
            entry ?? absent
            other ?? absent
        }.plan()
    }

    @Test("dane-rules 12a: without any unsigned delegation an insecure TLSA answer puts the host out of use (field D2)")
    func stripped() {
        let run = self.stripped(DS("org"), DS("example.org"))
        let reason = DNSFailure.bogus("insecure below signed delegations only")
        let question = DNSQuestion(.tlsa("mx.example.org"), .tlsa)
        #expect(run.hosts.map(\.requirement) == [.unavailable(reason)])
        #expect(run.hosts.map(\.failure) == [.dnssecInvalid(question, reason)])
        #expect(run.hosts.map(\.states.tlsa) == [.bogus])
        #expect(
            run.asked(.ds)
                == ["org", "example.org", "mx.example.org", "_tcp.mx.example.org", "_25._tcp.mx.example.org"])
        #expect(run.rounds.allSatisfy { $0.count <= 2 })
    }

    @Test(
        "dane-rules 12a: a denial of DS that is itself insecure proves nothing, wherever it stands (field D2)",
        arguments: ["org", "example.org", "mx.example.org", "_tcp.mx.example.org"] as [DomainName])
    func insecureDenial(_ name: DomainName) {
        // What stands below it is forged as well, and must not be looked at.
        let run = self.stripped(Absent(.ds, name, state: .insecure), UnsignedDelegation("_25._tcp.mx.example.org"))
        #expect(
            run.hosts.map(\.failure)
                == [.dnssecInvalid(DNSQuestion(name, .ds), .bogus("insecure without a proof"))])
    }

    @Test("dane-rules 12a: a failed look-up of DS proves nothing either (field D2)")
    func failedDenial() {
        let question = DNSQuestion("_tcp.mx.example.org", .ds)
        let run = self.stripped(Fail(.ds, question.name, .serverFailure))
        #expect(run.hosts.map(\.failure) == [.dnssecInvalid(question, .serverFailure)])
        let ours = self.stripped(Fail(.ds, question.name, .resolverUnavailable("shut down")))
        #expect(ours.hosts.map(\.failure) == [.dnsQueryFailed(question, .resolverUnavailable("shut down"))])
    }

    @Test(
        "dane-rules 2, 12a: an unsigned delegation between host and TLSA makes the answer insecure indeed (field D2)",
        arguments: ["_tcp.mx.example.org", "_25._tcp.mx.example.org"] as [DomainName],
        [DNSSECState.secure, .insecure])
    func unsignedDelegation(_ name: DomainName, _ state: DNSSECState) {
        let run = self.stripped(UnsignedDelegation(name, state: state))
        #expect(run.hosts.map(\.requirement) == [.opportunistic])
        #expect(run.hosts.map(\.states.tlsa) == [.insecure])
    }

    @Test("dane-rules 12a: a delegation signed by nothing that we know counts as unsigned (RFC 4035 §5.2) (field D2)")
    func unknownAlgorithm() {
        #expect(self.stripped(DS("_tcp.mx.example.org", algorithm: 200)).hosts.map(\.requirement) == [.opportunistic])
        #expect(self.stripped(DS("_tcp.mx.example.org", digestType: 9)).hosts.map(\.requirement) == [.opportunistic])
        #expect(self.stripped(DS("_tcp.mx.example.org")).hosts.first?.failure != nil)
    }

    @Test("dane-rules 5, 12a: the alias of TLSA records must be secure up to where it leaves signed zones (field D2)")
    func alias() {
        func plan(_ alias: Zone.Entry, _ delegation: Zone.Entry) -> [DANERequirement] {
            let owner: DomainName = .tlsa("mx.example.org")
            return Zone {
                MX("example.org", "mx.example.org")
                TLSA("mx.example.org", .good, state: .insecure, via: ["_dane.example.net", "_dane.example.com"])
                CNAME(owner, "_dane.example.net")
                alias
                delegation
            }.plan().hosts.map(\.requirement)
        }
        let bogus = DNSFailure.bogus("insecure below signed delegations only")
        let second = CNAME("_dane.example.net", "_dane.example.com")
        #expect(plan(second, UnsignedDelegation("example.com")) == [.opportunistic])
        #expect(plan(second, UnsignedDelegation("example.net")) == [.unavailable(bogus)])
        let forged = CNAME("_dane.example.net", "_dane.example.com", state: .insecure)
        #expect(plan(forged, UnsignedDelegation("example.net")) == [.opportunistic])
        #expect(plan(forged, UnsignedDelegation("example.com")) == [.unavailable(bogus)])
        let first = CNAME("_25._tcp.mx.example.org", "_dane.example.net", state: .insecure)
        #expect(plan(first, UnsignedDelegation("example.com")) == [.unavailable(bogus)])
        // An alias is no delegation, whatever a denial says.
        #expect(plan(forged, UnsignedDelegation("_dane.example.net")) == [.unavailable(bogus)])
    }

    @Test("dane-rules 1, 12a: insecure addresses inside the secure domain whose MX they are need the same (field D2)")
    func addresses() {
        func plan(_ delegation: Zone.Entry, via aliases: [DomainName] = []) -> Zone.Run {
            Zone {
                MX("example.org", "mx.example.org")
                A("mx.example.org", state: .insecure, via: aliases)
                CNAME("mx.example.org", "mail.example.net", state: .insecure)
                delegation
            }.plan()
        }
        let question = DNSQuestion("mx.example.org", .a)
        let failure = RouteFailure.dnssecInvalid(question, .bogus("insecure below signed delegations only"))
        for aliases in [[], ["mail.example.net"]] as [[DomainName]] {
            let run = plan(DS("example.org"), via: aliases)
            #expect(run.hosts.map(\.failure) == [failure])
            #expect(run.hosts.map(\.addresses) == [[]])
            #expect(run.asked(.tlsa).isEmpty)
        }
        #expect(plan(UnsignedDelegation("mx.example.org")).hosts.map(\.requirement) == [.opportunistic])
    }

    @Test(
        "dane-rules 12a: insecure denials of the addresses of a secure domain's own host bounce nothing unproven (field D2, C9)",
        arguments: [DNSAbsence.noData, .nameError])
    func deniedAddresses(_ absence: DNSAbsence) {
        func plan(_ delegation: Zone.Entry, mx: Zone.Entry = MX("example.org", "mx.example.org")) -> Zone.Run {
            Zone {
                mx
                Absent(.a, "mx.example.org", absence, state: .insecure)
                Absent(.aaaa, "mx.example.org", absence, state: .insecure)
                delegation
            }.plan()
        }
        let forged = plan(DS("example.org"))
        let question = DNSQuestion("mx.example.org", .aaaa)
        #expect(
            forged.hosts.map(\.failure)
                == [.dnssecInvalid(question, .bogus("insecure below signed delegations only"))])
        #expect(forged.hosts.map(\.states.address) == [.insecure])
        let real = plan(UnsignedDelegation("mx.example.org"))
        #expect(real.hosts.map(\.failure) == [.noSuchHost("mx.example.org")])
        // An insecure MX promises nothing, so it needs no proof.
        let insecure = plan(DS("example.org"), mx: MX("example.org", "mx.example.org", state: .insecure))
        #expect(insecure.hosts.map(\.failure) == [.noSuchHost("mx.example.org")])
        #expect(insecure.asked(.ds).isEmpty)
    }

    @Test("dane-rules 12a: one forged denial of two is enough to need the proof (field D2, C9)")
    func halfDeniedAddresses() {
        let run = Zone {
            MX("example.org", "mx.example.org")
            Absent(.a, "mx.example.org", state: .insecure)
        }.plan()
        let question = DNSQuestion("mx.example.org", .a)
        #expect(
            run.hosts.map(\.failure)
                == [.dnssecInvalid(question, .bogus("insecure below signed delegations only"))])
    }

    @Test("dane-rules 12a: so do those of a domain that is its own host, as its MX is securely denied (field D2, C9)")
    func deniedDomain() {
        func plan(_ delegation: Zone.Entry) -> Zone.Run {
            Zone {
                Absent(.a, "example.org", state: .insecure)
                Absent(.aaaa, "example.org", state: .insecure)
                delegation
            }.plan()
        }
        let forged = plan(DS("example.org"))
        #expect(forged.noRoute == nil)
        #expect(
            forged.hosts.map(\.failure)
                == [
                    .dnssecInvalid(
                        DNSQuestion("example.org", .aaaa), .bogus("insecure below signed delegations only"))
                ])
        #expect(plan(UnsignedDelegation("example.org")).noRoute == .noSuchDomain(.noData, .secure))
    }

    @Test(
        "dane-rules 12a: an insecure answer to the MX question bounces nothing unproven (field D2)",
        arguments: [
            Absent(.mx, "example.org", .nameError, state: .insecure),
            .init(.mx, "example.org", .found([.mx(preference: 0, exchange: nil)], .insecure)),
        ])
    func finalAnswers(_ mx: Zone.Entry) {
        let forged = Zone {
            mx
            DS("org")
            DS("example.org")
        }.plan()
        let question = DNSQuestion("example.org", .mx)
        #expect(
            forged.noRoute == .failed(.dnssecInvalid(question, .bogus("insecure below signed delegations only"))))
        #expect(forged.rounds == [[question], [DNSQuestion("org", .ds), DNSQuestion("example.org", .ds)]])
        let stripped = Zone {
            mx
            DS("org")
            Absent(.ds, "example.org", state: .insecure)
        }.plan()
        #expect(
            stripped.noRoute
                == .failed(.dnssecInvalid(DNSQuestion("example.org", .ds), .bogus("insecure without a proof"))))
        let real = Zone {
            mx
            DS("org")
            UnsignedDelegation("example.org", state: .insecure)
        }.plan()
        #expect(real.noRoute == .noSuchDomain(.nameError, .insecure) || real.noRoute == .nullMX(.insecure))
    }

    @Test("What lies below a name that is securely denied is absent without further proof (RFC 8020) (field D2)")
    func belowDeniedName() {
        let domain = Zone {
            Absent(.mx, "example.org", .nameError, state: .insecure)
            Absent(.ds, "org", .nameError)
            Absent(.ds, "example.org", .nameError, state: .insecure)
        }.plan()
        #expect(domain.noRoute == .noSuchDomain(.nameError, .insecure))
        let host = Zone {
            MX("example.org", "mx.invalid")
            Absent(.a, "mx.invalid", .nameError, state: .insecure)
            Absent(.aaaa, "mx.invalid", .nameError, state: .insecure)
            Absent(.ds, "invalid", .nameError)
        }.plan()
        #expect(host.hosts.map(\.failure) == [.noSuchHost("mx.invalid")])
        // Such a name has no null MX either, so whoever shows one made it up.
        let forged = Zone {
            Zone.Entry(.mx, "example.org", .found([.mx(preference: 0, exchange: nil)], .insecure))
            Absent(.ds, "org", .nameError)
        }.plan()
        guard case .failed(.dnssecInvalid)? = forged.noRoute else {
            Issue.record("\(String(describing: forged.noRoute))")
            return
        }
    }

    @Test("dane-rules 12a: the alias that led to such an answer may be what makes it insecure (field D2)")
    func finalAnswerBehindAlias() {
        let run = Zone {
            Absent(.mx, "example.org", .nameError, state: .insecure, via: ["example.net"])
            CNAME("example.org", "example.net")
            DS("org")
            DS("example.org")
            DS("net")
            UnsignedDelegation("example.net")
        }.plan()
        #expect(run.noRoute == .noSuchDomain(.nameError, .insecure))
        #expect(run.asked(.ds) == ["net", "example.net"])
    }

    @Test("dane-rules 12a: a domain without MX and address bounces only if the denial of its MX is proven (field D2)")
    func deniedDomainWithoutSignatures() {
        func plan(_ delegation: Zone.Entry, addresses: DNSSECState) -> Zone.Run {
            Zone {
                Absent(.mx, "example.org", state: .insecure)
                Absent(.a, "example.org", state: addresses)
                Absent(.aaaa, "example.org", state: addresses)
                delegation
            }.plan()
        }
        for addresses in [DNSSECState.secure, .insecure] {
            let forged = plan(DS("example.org"), addresses: addresses)
            #expect(forged.noRoute == nil)
            #expect(
                forged.hosts.map(\.failure)
                    == [
                        .dnssecInvalid(
                            DNSQuestion("example.org", .mx), .bogus("insecure below signed delegations only"))
                    ])
        }
        let real = plan(UnsignedDelegation("example.org"), addresses: .insecure)
        #expect(real.noRoute == .noSuchDomain(.noData, .insecure))
    }

    @Test("dane-rules 12a: a host of another domain, named by a secure MX, bounces nothing unproven either (field D2)")
    func deniedHostElsewhere() {
        let forged = Zone {
            MX("example.org", "mx.example.net")
            Absent(.a, "mx.example.net", .nameError, state: .insecure)
            DS("example.net")
        }.plan()
        #expect(
            forged.hosts.map(\.failure)
                == [
                    .dnssecInvalid(
                        DNSQuestion("mx.example.net", .a), .bogus("insecure below signed delegations only"))
                ])
    }

    @Test("A name with more than 16 labels is not walked down: an insecure answer there counts as failed (field D2)")
    func depth() {
        func host(_ labels: Int) -> RouteFailure? {
            let host = DomainName(Array(repeating: "a", count: labels).joined(separator: "."))!
            let owner: DomainName = .tlsa(host)
            return Zone {
                MX("example.org", host)
                Absent(.tlsa, owner, state: .insecure)
                UnsignedDelegation(owner)
            }.plan().hosts.first?.failure
        }
        #expect(host(14) == nil)
        #expect(
            host(15)
                == .dnssecInvalid(
                    DNSQuestion(.tlsa(DomainName(Array(repeating: "a", count: 15).joined(separator: "."))!), .tlsa),
                    .malformed("insecure, and 17 labels deep")))
    }
}
