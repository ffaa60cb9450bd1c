import Cryptography
import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// What a node serves by comes and goes while the real program runs, from none to some and from some to none.
@Suite("Certificates, users and domains that come and go on SIGHUP", .timeLimit(.minutes(3)))
struct ReloadedStateTests {
    private static let gauge = "relayd_certificate_not_after_timestamp_seconds"

    /// Has the relay take other values of settings that its file states on a line each, and waits until it says so.
    private func reload(_ lab: LabRelay, _ values: [String: String]) async throws {
        let file = lab.relayd.configuration
        let yaml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let lines = yaml.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let key = values.keys.first { line.trimmingPrefix("  ").hasPrefix("\($0): ") }
            return key.map { "\(line.prefix { $0 == " " })\($0): \(values[$0] ?? "")" } ?? String(line)
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        func reloads() -> [LabLogLine] { lab.relayd.logLines.filter { $0["msg"] == "configuration reloaded" } }
        let before = reloads().count
        try lab.relayd.reload()
        let line = await lab.relayd.waitForLogLine { _ in reloads().count > before }
        #expect(line != nil)
        #expect(reloads().last?["after_restart"] == "")
    }

    /// A relay without certificates and users, and the settings that give it both.
    private func withBareRelay(
        _ body: (LabRelay, _ some: [String: String], _ notAfter: Double) async throws -> Void
    ) async throws {
        let folder = try LabFolder.temporary()
        let cost = try #require(PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1))
        let users = try folder.write("alice:\(try PasswordHash(of: Array("secret".utf8), cost: cost))\n", to: "users")
        let leaf = try TestPKI().leaf("relay.test")
        let chain = try folder.write(leaf.chainPEM, to: "chain.pem")
        let key = try folder.write(leaf.key.pem, to: "key.pem")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
        var options = LabRelayOptions()
        options.folder = folder
        options.settings = ["tls.certificates": "[]", "tls.required": "false", "auth.users-file": "null"]
        let some = [
            "certificates": "[{certificate: '\(chain.path)', key: '\(key.path)'}]", "users-file": "'\(users.path)'",
            "required": "true",
        ]
        let end = Double(leaf.certificate.value.notAfter.microseconds / 1_000_000)
        try await LabRelay.with([], options) { try await body($0, some, end) }
    }

    private func offers(_ keyword: String, _ smtp: inout SMTPDialog) async throws -> Bool {
        try await smtp.hello().lines.contains { $0.dropFirst(4).hasPrefix(keyword) }
    }

    @Test("STARTTLS and AUTH begin and cease in sessions under way; /readyz and the gauge tell")
    func fromNoneToSome() async throws {
        try await self.withBareRelay { lab, some, notAfter in
            try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { clear in
                #expect(try await !self.offers("STARTTLS", &clear))
                #expect(try await !lab.relayd.metrics().contains(Self.gauge))

                try await self.reload(lab, some)
                #expect(try await self.offers("STARTTLS", &clear))
                #expect(try await lab.relayd.metric(Self.gauge, label: "slot=\"0\"") == notAfter)
                #expect(try await lab.relayd.readiness().status == 200)
                let line = await lab.relayd.waitForLogLine { $0["msg"] == "AUTH is offered over TLS" }
                #expect(line?["users"] == "1")
                try await self.cease(lab, &clear)
            }
        }
    }

    /// A client logs in; then there are neither certificates nor users any more, and it is offered neither.
    private func cease(_ lab: LabRelay, _ clear: inout SMTPDialog) async throws {
        try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { secured in
            try await secured.hello()
            try await secured.startTLS()
            #expect(try await self.offers("AUTH", &secured))
            #expect(try await secured.say("AUTH PLAIN \(PolicyWorld.plain("alice", "secret"))").code == 235)

            try await self.reload(lab, ["certificates": "[]", "users-file": "null"])
            #expect(try await !self.offers("STARTTLS", &clear))
            #expect(try await clear.say("STARTTLS").code == 502)
            // What has been proved and agreed upon stays with the session.
            #expect(try await !self.offers("AUTH", &secured))
        }
        try await lab.relayd.waitUntilNotReady("no certificate is configured")
        #expect(try await !lab.relayd.metrics().contains(Self.gauge))
        try await self.reload(lab, ["required": "false"])
        try await lab.relayd.waitUntilReady()
    }

    @Test("A second certificate is served by its name while it is configured, and its slot of the gauge comes and goes")
    func slots() async throws {
        try await LabRelay.with([]) { lab in
            let leaf = try lab.pki.leaf("second.test")
            let chain = try lab.folder.write(leaf.chainPEM, to: "second-chain.pem").path
            let key = try lab.folder.write(leaf.key.pem, to: "second-key.pem").path
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
            let first =
                "{certificate: '\(lab.folder.url.appending(path: "relayd-chain.pem").path)', "
                + "key: '\(lab.folder.url.appending(path: "relayd-key.pem").path)'}"
            func slots() async throws -> [Bool] {
                let text = try await lab.relayd.metrics()
                return [0, 1].map { text.contains("\(Self.gauge){slot=\"\($0)\"}") }
            }
            #expect(try await slots() == [true, false])
            try await self.reload(lab, ["certificates": "[\(first), {certificate: '\(chain)', key: '\(key)'}]"])
            #expect(try await slots() == [true, true])
            #expect(try await self.presented("second.test", lab) == "second.test")
            try await self.reload(lab, ["certificates": "[\(first)]"])
            #expect(try await slots() == [true, false])
            #expect(try await self.presented("second.test", lab) == "relay.test")
        }
    }

    /// The common name of the certificate that is shown for a name.
    private func presented(_ name: String, _ lab: LabRelay) async throws -> String {
        let log = lab.folder.url.appending(path: "s_client-\(UUID().uuidString)")
        let command = """
            openssl s_client -starttls smtp -connect 127.0.0.1:\(lab.smtpPort) -servername \(name) </dev/null 2>/dev/null \
            | openssl x509 -noout -subject -nameopt RFC2253
            """
        let client = try await ChildProcess("/bin/sh", ["-c", command], log: log)
        guard await client.ended(within: .seconds(20)) else {
            await client.stop()
            throw LabFailure("openssl goes on: \(client.lastOutput())")
        }
        let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
        return String(text.trimmingCharacters(in: .newlines).trimmingPrefix("subject=CN="))
    }

    @Test("The first domain and the last one come and go, and mail follows a next hop that has changed")
    func domains() async throws {
        var options = LabRelayOptions()
        options.settings = ["accepted-domains": "[]", "relay-networks": "[]"]
        let (former, next) = (try await ScriptedPeer.start(), try await ScriptedPeer.start())
        try await LabRelay.with([], options) { lab in
            func isTaken() async throws -> Bool {
                try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                    try await smtp.hello()
                    try await smtp.say("MAIL FROM:<a@client.test>")
                    return try await smtp.say("RCPT TO:<bob@bravo.test>").code == 250
                }
            }
            #expect(try await !isTaken())
            for peer in [former, next] {
                let nextHop = "'[\(peer.address)]:\(peer.port)'"
                try await self.reload(lab, ["accepted-domains": "[{domain: bravo.test, next-hop: \(nextHop)}]"])
                #expect(try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test")).kind == .transfer)
                #expect(peer.messageCount == 1)
            }
            try await self.reload(lab, ["accepted-domains": "[]"])
            #expect(try await !isTaken())
        }
        await former.stop()
        await next.stop()
    }
}
