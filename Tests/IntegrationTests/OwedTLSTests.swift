import Cryptography
import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Routing
import TLSEngine
import Testing

/// TLS that the operator demands of receiving hosts, beside DANE, with the real program and hosts with real certificates.
@Suite("TLS that the operator demands", .timeLimit(.minutes(3)))
struct OwedTLSTests {
    /// A next hop given by address, what it presents, and what must become of its mail.
    struct NextHop: Sendable {
        let domain: String
        let leaf: TestPKI.Leaf?
        var rules: [ScriptedRule] = []
        var demand = "tls: verify, tls-name: mx.inner.test"
        var reason: String?
        var status: String?
        var requirement = "verify mx.inner.test"
    }

    private static func nextHops(_ pki: TestPKI) throws -> [NextHop] {
        let good = try pki.leaf("mx.inner.test")
        return [
            NextHop(domain: "good.test", leaf: good),
            NextHop(
                domain: "misnamed.test", leaf: try pki.leaf("other.inner.test"), reason: "certificate-host-mismatch",
                status: "4.7.323"),
            NextHop(
                domain: "foreign.test", leaf: try TestPKI().leaf("mx.inner.test"),
                reason: "certificate-not-trusted", status: "4.7.323"),
            NextHop(
                domain: "expired.test", leaf: try pki.leaf("mx.inner.test", validity: .expired),
                reason: "certificate-expired", status: "4.7.322"),
            NextHop(
                domain: "unverified.test", leaf: nil, reason: "starttls-not-supported", status: "4.7.321"),
            NextHop(
                domain: "clear.test", leaf: nil, demand: "tls: encrypt", reason: "starttls-not-supported",
                status: "4.7.321", requirement: "encrypt"),
            NextHop(
                domain: "refusing.test", leaf: good, rules: [.on(.startTLS, .reply("454 4.7.0 not now"))],
                demand: "tls: encrypt", reason: "starttls-not-supported", status: "4.7.321", requirement: "encrypt"),
            NextHop(
                domain: "broken.test", leaf: good, rules: [.on(.startTLS, .reply("220 go"), .close)],
                demand: "tls: encrypt", reason: "tls-handshake-failed", status: "4.7.323", requirement: "encrypt"),
            NextHop(
                domain: "anyone.test", leaf: try TestPKI().leaf("other.test"), demand: "tls: encrypt",
                requirement: "encrypt"),
            NextHop(
                domain: "nothing.test", leaf: nil, demand: "tls: opportunistic", requirement: "opportunistic"),
        ]
    }

    @Test(
        "A next hop gets mail if it proves what is demanded of it; otherwise mail waits, under its reason, and nothing is said in clear"
    )
    func nextHops() async throws {
        try await withTemporaryFolder { folder in
            let pki = try TestPKI()
            let authorities = folder.appending(path: "ca.pem")
            try Data(pki.root.certificate.pem.utf8).write(to: authorities)
            let hops = try Self.nextHops(pki)
            var peers: [ScriptedPeer] = []
            var entries: [String] = []
            for hop in hops {
                let store = try hop.leaf.map {
                    try ServerCertificateStore([$0.serverCertificate()])
                }
                let peer = try await ScriptedPeer.start(hop.rules, certificates: store)
                peers.append(peer)
                let file = hop.demand.contains("verify") ? ", tls-ca-file: '\(authorities.path)'" : ""
                entries.append(
                    "{domain: \(hop.domain), next-hop: '[\(peer.address)]:\(peer.port)', \(hop.demand)\(file)}")
            }
            var options = LabRelayOptions()
            options.settings = ["accepted-domains": "[\(entries.joined(separator: ", "))]"]
            let running = peers
            try await LabRelay.with([], options) { lab in
                for (hop, peer) in zip(hops, running) {
                    let event = try await lab.firstOutcome(of: lab.submit(to: "bob@\(hop.domain)"))
                    #expect(event.kind == (hop.reason == nil ? .transfer : .defer), "\(hop.domain)")
                    #expect(event.reason == hop.reason, "\(hop.domain)")
                    if let status = hop.status { #expect(event.status?.description == status, "\(hop.domain)") }
                    #expect(event.requirement == hop.requirement, "\(hop.domain)")
                    #expect(peer.messageCount == (hop.reason == nil ? 1 : 0), "\(hop.domain)")
                    if hop.reason != nil {
                        #expect(!peer.commands.contains { $0.hasPrefix("MAIL") }, "\(hop.domain)")
                        #expect(event.authentication == AuthenticationLabel.none)
                    } else if hop.leaf != nil {
                        #expect(event.authentication == .tls && event.tlsVersion == "TLSv1.3")
                    }
                    if hop.domain == "good.test" {
                        #expect(peer.received.first?.tls?.serverName?.text == "mx.inner.test")
                    }
                    if hop.domain == "misnamed.test" {
                        #expect(event.reply?.contains("for other.inner.test, not for mx.inner.test") == true)
                    }
                }
            }
            for peer in peers { await peer.stop() }
        }
    }

    @Test(
        "dane is kept only with secure records; encrypt and verify hold for hosts found by MX, and an exception ends both"
    )
    func destinations() async throws {
        try await withTemporaryFolder { folder in
            let pki = try TestPKI()
            let authorities = folder.appending(path: "ca.pem")
            try Data(pki.root.certificate.pem.utf8).write(to: authorities)
            var verified = LabDomain.opportunistic("verified.test")
            verified.leaf = try pki.leaf("mail.partner.test")
            let verify = "tls: verify, tls-name: mail.partner.test, tls-ca-file: '\(authorities.path)'"
            var options = LabRelayOptions()
            options.settings = [
                "delivery.destinations": """
                [{domain: plain.test, tls: dane}, {domain: bravo.test, tls: dane}, {domain: old.test, tls: encrypt}, \
                {domain: verified.test, \(verify)}, {domain: charlie.test, \(verify)}, {domain: waived.test, tls: encrypt}]
                """,
                "delivery.tls-exceptions": """
                [{domain: forged.test, reason: stale, until: 2999-01-01}, \
                {domain: waived.test, reason: old, until: 2999-01-01}, \
                {domain: stripped.test, reason: over, until: 2001-01-01}]
                """,
            ]
            let domains: [LabDomain] = [
                .opportunistic("plain.test"), .dane("bravo.test"), .cleartext("old.test"), verified,
                .dane("charlie.test"), .cleartext("waived.test"), .forgedCertificate("forged.test"),
                .strippedSTARTTLS("stripped.test"),
            ]
            let expected: [(domain: String, reason: String?, requirement: String, proof: AuthenticationLabel?)] =
                [
                    ("plain.test", "dnssec-invalid", "dane", nil),
                    ("bravo.test", nil, "authenticate", .dane),
                    ("old.test", "starttls-not-supported", "encrypt", AuthenticationLabel.none),
                    ("verified.test", nil, "verify mail.partner.test", .tls),
                    // DANE is there, from the domain on.
                    ("charlie.test", nil, "authenticate", .dane),
                    ("waived.test", nil, "opportunistic (exception)", AuthenticationLabel.none),
                    ("forged.test", nil, "opportunistic (exception)", .tls),
                    ("stripped.test", "starttls-not-supported", "authenticate", AuthenticationLabel.none),
                ]
            try await LabRelay.with(domains, options) { lab in
                for (domain, reason, requirement, proof) in expected {
                    let event = try await lab.firstOutcome(of: lab.submit(to: "bob@\(domain)"))
                    #expect(event.kind == (reason == nil ? .send : .defer), "\(domain)")
                    #expect(event.reason == reason, "\(domain)")
                    #expect(event.requirement == requirement, "\(domain)")
                    #expect(event.authentication == proof, "\(domain)")
                    #expect(lab.peer(domain).server.messageCount == (reason == nil ? 1 : 0), "\(domain)")
                    if domain == "plain.test" {
                        #expect(event.status.map { "\($0)" } == "4.7.324")
                        #expect(event.reply?.contains("tls: dane") == true)
                        #expect(lab.peer(domain).server.connectionCount == 0)
                    }
                }
                let warnings = try #require(
                    await lab.relayd.waitForLogLine(within: .seconds(30)) {
                        $0.text.contains("delivery.tls-exceptions[0]") && $0.text.contains("until 2999-01-01: stale")
                    })
                #expect(warnings["level"] == "warning")
            }
        }
    }

    @Test(
        "Call-ahead asks only a next hop that proves what delivery demands; without tls-ca-file the system's authorities count"
    )
    func callAhead() async throws {
        try await withTemporaryFolder { folder in
            let pki = try TestPKI()
            let authorities = folder.appending(path: "system.pem")
            try Data(pki.root.certificate.pem.utf8).write(to: authorities)
            let store = try ServerCertificateStore([pki.leaf("mx.inner.test").serverCertificate()])
            let secure = try await ScriptedPeer.start(certificates: store)
            let clear = try await ScriptedPeer.start()
            func entry(_ domain: String, _ peer: ScriptedPeer, _ demand: String) -> String {
                "{domain: \(domain), next-hop: '[\(peer.address)]:\(peer.port)', recipients: call-ahead, \(demand)}"
            }
            let entries = [
                entry("good.test", secure, "tls: verify, tls-name: mx.inner.test"),
                entry("misnamed.test", secure, "tls: verify, tls-name: other.inner.test"),
                entry("clear.test", clear, "tls: encrypt"),
            ]
            var options = LabRelayOptions()
            options.settings = ["accepted-domains": "[\(entries.joined(separator: ", "))]"]
            // Where OpenSSL looks for the authorities that the system trusts.
            options.environment = ["SSL_CERT_FILE": authorities.path]
            try await LabRelay.with([], options) { lab in
                try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                    try await smtp.hello()
                    try await smtp.say("MAIL FROM:<alice@alpha.test>")
                    #expect(try await smtp.say("RCPT TO:<bob@good.test>").code == 250)
                    #expect(try await smtp.say("RCPT TO:<bob@misnamed.test>").code == 450)
                    #expect(try await smtp.say("RCPT TO:<bob@clear.test>").code == 450)
                    try await smtp.say("QUIT")
                }
                let sent = try await lab.firstOutcome(of: lab.submit(to: "bob@good.test"))
                #expect(sent.kind == .transfer && sent.requirement == "verify mx.inner.test")
            }
            #expect(!clear.commands.contains { $0.hasPrefix("RCPT") })
            await secure.stop()
            await clear.stop()
        }
    }

    @Test("Content for a domain without chunking goes by DATA, over a connection of its own to the same host")
    func chunking() async throws {
        var host = LabDomain.dane("shared.test", rules: [.modern])
        host.records = [.mx(host.host, owner: "a.shared.test"), .mx(host.host, owner: "b.shared.test")]
        var options = LabRelayOptions()
        options.settings = ["delivery.destinations": "[{domain: b.shared.test, chunking: false}]"]
        try await LabRelay.with([host], options) { lab in
            for domain in ["a.shared.test", "b.shared.test"] {
                let sent = try await lab.firstOutcome(of: lab.submit(to: "bob@\(domain)"))
                #expect(sent.kind == .send)
            }
            let received = lab.peer("shared.test").server.received
            #expect(received.map { $0.chunks.isEmpty } == [false, true])
            #expect(received.first?.connection != received.last?.connection)
        }
    }
}
