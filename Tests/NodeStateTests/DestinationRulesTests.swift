import Admission
import MailModel
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

@testable import NodeState
@testable import RelayConfiguration

/// The settings that say what receiving hosts owe, and what deliveries make of them.
@Suite("What is demanded of deliveries")
struct DestinationRulesTests {
    private func loaded(_ yaml: String) throws -> LoadedConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load()
    }

    private func problem(_ yaml: String) -> String {
        do {
            _ = try self.loaded(yaml)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "Exceptions are listed with what counts without them, in every setting that has some, and whether they are over"
    )
    func listedExceptions() throws {
        let loaded = try self.loaded(
            """
            accepted-domains:
              - {domain: host.test, next-hop: mail.host.test, tls: verify}
              - {domain: a.bank.test, tls: encrypt}
            delivery:
              destinations:
                - {domain: b.bank.test, tls: opportunistic}
                - {domain: "*.bank.test", tls: dane}
                - {domain: "*.test", tls: encrypt}
              tls-exceptions:
                - {domain: host.test, reason: new key, until: 2027-01-31}
                - {domain: "*.bank.test", reason: old records, until: 2026-01-31}
                - {domain: else.example, reason: none, until: 2027-01-31}
            resolver:
              unvalidated-domains: [{domain: b.example, reason: wrong DS, until: 2027-01-31}]
            """)
        let now = try #require(CalendarDay("2026-01-31")).start
        let found = loaded.exceptions(at: now)
        #expect(found.map(\.domain) == ["host.test", "*.bank.test", "else.example", "b.example"])
        #expect(
            found.map(\.policies) == [
                ["verify mail.host.test"], ["encrypt", "opportunistic", "dane"], ["opportunistic"], ["dnssec"],
            ])
        #expect(found.map(\.isExpired) == [false, true, false, false])
        #expect(found.map(\.key).suffix(2) == ["delivery.tls-exceptions[2]", "resolver.unvalidated-domains[0]"])
        #expect(found[1].reason == "old records" && found[1].until == "2026-01-31")
        #expect("\(found[3].source)" == "relayd.yaml:14")
    }

    @Test("The domain's own setting counts, else the first rule about it, else nothing is demanded; each for itself")
    func precedence() throws {
        let state = try self.loaded(
            """
            accepted-domains:
              - {domain: host.test, next-hop: "mail.host.test:2525", tls: verify, chunking: false}
              - {domain: address.test, next-hop: "192.0.2.1", tls: verify, tls-name: mx.inner, tls-ca-file: /etc/ca.pem}
              - {domain: open.test, tls: opportunistic}
              - {domain: ruled.test}
            delivery:
              destinations:
                - {domain: "*.bank.test", tls: dane}
                - {domain: open.test, tls: encrypt, chunking: false}
                - {domain: ruled.test, tls: encrypt}
                - {domain: ruled.test, tls: dane}
                - {domain: slow.test, chunking: false}
                - {domain: partner.test, tls: verify, tls-name: mx.partner.test}
            """
        ).configuration.state()
        let now = Timestamp(seconds: 0)
        func verify(_ name: DomainName, _ authorities: TrustedAuthorities) -> TransportPolicy {
            .verify(CertificateVerification(name: name, authorities: authorities))
        }
        #expect(state.transport(to: "host.test", at: now) == verify("mail.host.test", .system))
        #expect(state.transport(to: "address.test", at: now) == verify("mx.inner", .file("/etc/ca.pem")))
        #expect(state.transport(to: "open.test", at: now) == .opportunistic)
        #expect(state.transport(to: "ruled.test", at: now) == .encrypt)
        #expect(state.transport(to: "a.bank.test", at: now) == .dane)
        #expect(state.transport(to: "bank.test", at: now) == .opportunistic)
        #expect(state.transport(to: "partner.test", at: now) == verify("mx.partner.test", .system))
        let chunking = ["host.test", "open.test", "slow.test", "ruled.test", "else.test"] as [DomainName]
        #expect(
            chunking.map { state.destinations.usesChunking(to: $0, stating: state.policy.domains[$0]?.demands) }
                == [false, false, false, nil, nil])
    }

    @Test("An exception needs reason and day; it comes before everything until its day, and a warning names it")
    func exceptions() throws {
        let entry = "{domain: a.test, reason: their TLSA is stale, until: 2027-01-31}"
        let loaded = try self.loaded(
            "delivery: {tls-exceptions: [\(entry)], destinations: [{domain: a.test, tls: encrypt}]}")
        let end = try #require(CalendarDay("2027-01-31")).start
        let state = try loaded.configuration.state()
        #expect(state.transport(to: "a.test", at: end + .milliseconds(-1)) == .excepted)
        #expect(state.transport(to: "a.test", at: end) == .encrypt)
        #expect(state.transport(to: "b.a.test", at: end + .milliseconds(-1)) == .opportunistic)
        let place = "relayd.yaml:1: delivery.tls-exceptions[0]: "
        #expect(
            loaded.tlsExceptions(at: end + .milliseconds(-1)).map(\.description) == [
                place
                    + "mail for a.test goes in clear if TLS fails, whatever DANE and the settings demand, until 2027-01-31: "
                    + "their TLSA is stale"
            ])
        #expect(
            loaded.tlsExceptions(at: end).map(\.description) == [
                place + "ended on 2027-01-31, and has no effect: their TLSA is stale"
            ])
        #expect(
            self.problem("delivery: {tls-exceptions: [{domain: a.test, until: 2027-01-31}]}").contains(
                "reason is missing"))
        #expect(self.problem("delivery: {tls-exceptions: [{domain: a.test, reason: x}]}").contains("until is missing"))
    }
}

extension RelaydConfiguration {
    fileprivate func state() throws -> NodeState {
        try NodeState(self.stateContent(), LocalState(sites: self.siteLimits))
    }
}
