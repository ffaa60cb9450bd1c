import Cryptography
import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import TLSEngine
import Testing

/// What the operator demands of receiving hosts and spares them, changed while the real program runs.
@Suite("Rules about receiving hosts, reloaded on SIGHUP", .timeLimit(.minutes(3)))
struct ReloadedRulesTests {
    /// Has the relay take other values of settings that its file states on a line each, and waits until it says so.
    private func reload(_ lab: LabRelay, _ values: [String: String] = [:]) async throws {
        let file = lab.relayd.configuration
        let yaml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let lines = yaml.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let key = values.keys.first { line.hasPrefix("  \($0): ") }
            return key.flatMap { key in values[key].map { "  \(key): \($0)" } } ?? String(line)
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        func reloads() -> [LabLogLine] { lab.relayd.logLines.filter { $0["msg"] == "configuration reloaded" } }
        let before = reloads().count
        try lab.relayd.reload()
        let line = await lab.relayd.waitForLogLine { _ in reloads().count > before }
        #expect(line != nil)
        #expect(reloads().last?["after_restart"] == "")
    }

    @Test("Rules about destinations, exceptions and sites count from the next attempt on, and wait for no restart")
    func rules() async throws {
        let shared = LabDomain.dane("shared.test", rules: [.modern])
        var options = LabRelayOptions()
        options.settings = ["destinations", "tls-exceptions", "sites"].reduce(into: [:]) { $0["delivery.\($1)"] = "[]" }
        try await LabRelay.with([.cleartext("old.test"), .cleartext("waived.test"), shared], options) { lab in
            func outcome(_ domain: String) async throws -> TraceEvent {
                try await lab.firstOutcome(of: lab.submit(to: "bob@\(domain)"))
            }
            #expect(try await outcome("old.test").kind == .send)
            #expect(try await outcome("shared.test").kind == .send)

            try await self.reload(
                lab,
                [
                    "destinations": "[{domain: old.test, tls: encrypt}, {domain: waived.test, tls: encrypt}]",
                    "tls-exceptions": "[{domain: waived.test, reason: stale, until: 2999-01-01}]",
                    "sites": "[{mx: \(shared.host), chunking: false}]",
                ])
            let owed = try await outcome("old.test")
            #expect(owed.kind == .defer && owed.reason == "starttls-not-supported" && owed.requirement == "encrypt")
            let waived = try await outcome("waived.test")
            #expect(waived.kind == .send && waived.requirement == "opportunistic (exception)")
            #expect(try await outcome("shared.test").kind == .send)

            try await self.reload(lab, ["destinations": "[{domain: shared.test, chunking: true}]"])
            #expect(try await outcome("shared.test").kind == .send)
            // Without a rule by BDAT, then by DATA for the rule about the host, then by BDAT for that about the domain.
            #expect(lab.peer("shared.test").server.received.map { $0.chunks.isEmpty } == [false, true, false])
            let warning = await lab.relayd.waitForLogLine { $0.text.contains("delivery.tls-exceptions[0]") }
            #expect(warning?["level"] == "warning")
        }
    }

    /// Runs a relay whose next hop for `bravo.test` shows a certificate of `pki`, with the file of authorities that it trusts.
    private func withVerified(
        _ pki: TestPKI, _ body: (LabRelay, _ authorities: URL, ScriptedPeer) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let authorities = folder.appending(path: "ca.pem")
            try Data(pki.root.certificate.pem.utf8).write(to: authorities)
            let store = try ServerCertificateStore([pki.leaf("mx.inner.test").serverCertificate()])
            let peer = try await ScriptedPeer.start(certificates: store)
            let demand = "tls: verify, tls-name: mx.inner.test, tls-ca-file: '\(authorities.path)'"
            var options = LabRelayOptions()
            options.settings = [
                "accepted-domains": "[{domain: bravo.test, next-hop: '[\(peer.address)]:\(peer.port)', \(demand)}]"
            ]
            try await LabRelay.with([], options) { try await body($0, authorities, peer) }
            await peer.stop()
        }
    }

    @Test(
        "A file of authorities counts from the next attempt on, over open connections too; one that is not good is not taken"
    )
    func authorities() async throws {
        let (pki, other) = (try TestPKI(), try TestPKI())
        try await self.withVerified(pki) { lab, file, peer in
            func outcome() async throws -> TraceEvent {
                try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test"))
            }
            #expect(try await outcome().kind == .transfer)

            try Data("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n".utf8).write(to: file)
            try lab.relayd.reload()
            let refusal = await lab.relayd.waitForLogLine {
                $0["msg"]?.hasPrefix("configuration not reloaded") == true
            }
            let configuration = lab.relayd.configuration
            let lines = String(decoding: try Data(contentsOf: configuration), as: UTF8.self).split(separator: "\n")
            let line = try #require(lines.firstIndex { $0.hasPrefix("accepted-domains") }) + 1
            let place = "\(configuration.path):\(line): accepted-domains[0].tls-ca-file: \(file.path)"
            #expect(refusal?["error"]?.contains(place) == true, "\(refusal?["error"] ?? "")")
            #expect(try await outcome().kind == .transfer)

            // The connection of the last message may still be open, and proved what counts no more.
            try Data(other.root.certificate.pem.utf8).write(to: file)
            try await self.reload(lab)
            let distrusted = try await outcome()
            #expect(distrusted.kind == .defer && distrusted.reason == "certificate-not-trusted")
            #expect(peer.messageCount == 2)
        }
    }
}
