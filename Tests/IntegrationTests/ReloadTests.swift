import Cryptography
import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import Testing

@Suite("Reloading the configuration on SIGHUP", .timeLimit(.minutes(2)))
struct ReloadTests {
    /// The subject's common name of the certificate that the relay presents now.
    private func presentedName(_ lab: LabRelay) async throws -> String {
        let log = lab.folder.url.appending(path: "s_client-\(UUID().uuidString)")
        let command = """
            openssl s_client -starttls smtp -connect 127.0.0.1:\(lab.smtpPort) </dev/null 2>/dev/null \
            | openssl x509 -noout -subject -nameopt RFC2253
            """
        let client = try await ChildProcess("/bin/sh", ["-c", command], log: log)
        guard await client.ended(within: .seconds(20)) else {
            await client.stop()
            throw LabFailure("openssl goes on: \(client.lastOutput())")
        }
        return String(decoding: try Data(contentsOf: log), as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    private func write(_ leaf: TestPKI.Leaf, in lab: LabRelay) throws {
        _ = try lab.folder.write(leaf.chainPEM, to: "relayd-chain.pem")
        _ = try lab.folder.write(leaf.key.pem, to: "relayd-key.pem")
    }

    @Test("New certificates are presented at once; what is not good changes nothing and is told (hostile-input 41)")
    func certificates() async throws {
        try await LabRelay.with([.dane("bravo.test")]) { lab in
            #expect(try await self.presentedName(lab) == "subject=CN=relay.test")
            try self.write(try lab.pki.leaf("renewed.test"), in: lab)
            try lab.relayd.reload()
            #expect(await lab.relayd.waitForLogLine { $0["msg"] == "configuration reloaded" } != nil)
            #expect(try await self.presentedName(lab) == "subject=CN=renewed.test")

            // A key that belongs to another certificate, and an unknown key in the file: both are named.
            _ = try lab.folder.write(try lab.pki.leaf("other.test").key.pem, to: "relayd-key.pem")
            try lab.relayd.reload()
            let mismatch = await lab.relayd.waitForLogLine {
                $0["msg"]?.hasPrefix("configuration not reloaded") == true
            }
            #expect(mismatch?["error"]?.contains("tls.certificates[0]") == true)
            let file = lab.relayd.configuration
            let yaml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
            try Data("nod: {}\n\(yaml)".utf8).write(to: file)
            try lab.relayd.reload()
            let unknown = await lab.relayd.waitForLogLine { $0["error"]?.contains("unknown key") == true }
            #expect(unknown?["error"]?.contains("\(file.path):1: nod: unknown key; did you mean node?") == true)
            #expect(try await lab.relayd.metric("relayd_config_last_reload_successful") == 0)
            #expect(try await self.presentedName(lab) == "subject=CN=renewed.test")

            // It serves on, and a good configuration is taken again.
            try Data(yaml.utf8).write(to: file)
            try self.write(try lab.pki.leaf("third.test"), in: lab)
            try lab.relayd.reload()
            let third = await lab.relayd.waitForLogLine { _ in
                lab.relayd.logLines.filter { $0["msg"] == "configuration reloaded" }.count == 2
            }
            #expect(third != nil)
            #expect(try await self.presentedName(lab) == "subject=CN=third.test")
            #expect(try await lab.relayd.metric("relayd_config_last_reload_successful") == 1)
        }
    }

    /// Waits until the node says that this certificate has expired, so many times in all, and shows that it is served.
    private func expiry(of leaf: TestPKI.Leaf, told times: Int, in lab: LabRelay) async throws {
        try await lab.relayd.waitUntilNotReady("[-]certificate failed: tls.certificates[0] (")
        let line = await lab.relayd.waitForLogLine { _ in
            let lines = lab.relayd.logLines.filter { $0["msg"]?.hasPrefix("a certificate has expired") == true }
            return lines.count == times
        }
        #expect(line != nil)
        let end = Double(leaf.certificate.value.notAfter.microseconds / 1_000_000)
        let gauge = try await lab.relayd.metric(
            "relayd_certificate_not_after_timestamp_seconds", label: "slot=\"0\"")
        #expect(gauge == end)
        // Certificates are told of before the database is asked: until then nothing listens.
        #expect(try await eventually { try await !lab.relayd.readiness().text.contains("[-]listener") })
        let name = try await self.presentedName(lab)
        #expect(name == "subject=CN=relay.test")
    }

    @Test("An expired certificate is served and told everywhere; reload and restart go on; a renewed one ends it")
    func expiredCertificate() async throws {
        try await LabRelay.with([.dane("bravo.test")]) { lab in
            let expired = try lab.pki.leaf("relay.test", validity: .expired)
            try self.write(expired, in: lab)
            try lab.relayd.reload()
            let reloaded = await lab.relayd.waitForLogLine { $0["msg"] == "configuration reloaded" }
            #expect(reloaded != nil)
            try await self.expiry(of: expired, told: 1, in: lab)
            await lab.relayd.stop()
            try await lab.relayd.launch()
            try await self.expiry(of: expired, told: 2, in: lab)
            try self.write(try lab.pki.leaf("renewed.test"), in: lab)
            try lab.relayd.reload()
            try await lab.relayd.waitUntilReady()
            let name = try await self.presentedName(lab)
            #expect(name == "subject=CN=renewed.test")
        }
    }

    /// Writes the files of users and of recipients anew.
    private func write(users: [String: String], recipients: String, in folder: LabFolder) throws -> (String, String) {
        let cost = try #require(PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1))
        let lines = try users.map { "\($0.key):\(try PasswordHash(of: Array($0.value.utf8), cost: cost))\n" }
        return (try folder.write(lines.joined(), to: "users").path, try folder.write(recipients, to: "list").path)
    }

    /// The codes of RCPT to these local parts.
    private func recipients(_ names: [String], _ smtp: inout SMTPDialog) async throws -> [Int] {
        var codes: [Int] = []
        for name in names { codes.append(try await smtp.say("RCPT TO:<\(name)@listed.test>").code) }
        return codes
    }

    private func login(_ user: String, _ password: String, _ lab: LabRelay) async throws -> Int {
        try await SMTPDialog.with(port: lab.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            return try await smtp.say("AUTH PLAIN \(PolicyWorld.plain(user, password))").code
        }
    }

    @Test("hostile-input 41: users and lists of recipients are taken at once, in sessions under way too, or not at all")
    func policyFiles() async throws {
        var options = LabRelayOptions()
        let folder = try LabFolder.temporary()
        let (users, list) = try self.write(users: ["alice": "one"], recipients: "bob\n", in: folder)
        options.folder = folder
        options.settings = [
            "auth.users-file": "'\(users)'",
            "accepted-domains": "[{domain: listed.test, recipients: {file: '\(list)'}}]",
        ]
        try await LabRelay.with([], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { smtp in
                try await smtp.hello()
                try await smtp.say("MAIL FROM:<a@client.test>")
                #expect(try await self.recipients(["bob", "carol"], &smtp) == [250, 550])
                #expect(try await self.login("alice", "one", lab) == 235)

                _ = try self.write(users: ["alice": "two", "eve": "x"], recipients: "carol\n", in: folder)
                try lab.relayd.reload()
                let line = await lab.relayd.waitForLogLine { $0["msg"] == "configuration reloaded" }
                #expect(line?["users"] == "2" && line?["recipient_lists"] == "1" && line?["after_restart"] == "")
                #expect(try await self.recipients(["bob", "carol"], &smtp) == [550, 250])
                // The password that was right is remembered, and counts no more.
                #expect(try await self.login("alice", "one", lab) == 535)
                #expect(try await self.login("alice", "two", lab) == 235)
                #expect(try await self.login("eve", "x", lab) == 235)

                // One bad line in one file: the other file is not taken either.
                _ = try self.write(users: ["alice": "three"], recipients: "dave\nno@part\n", in: folder)
                try lab.relayd.reload()
                let refusal = await lab.relayd.waitForLogLine {
                    $0["msg"]?.hasPrefix("configuration not reloaded") == true
                }
                #expect(refusal?["error"]?.contains("accepted-domains[0].recipients: \(list): line 2") == true)
                #expect(try await lab.relayd.metric("relayd_config_last_reload_successful") == 0)
                #expect(try await self.recipients(["dave", "carol"], &smtp) == [550, 250])
                #expect(try await self.login("alice", "two", lab) == 235)
            }
        }
    }

    @Test("Networks and domains are taken in sessions under way, too; a warning names what only a start can take")
    func otherSettings() async throws {
        try await LabRelay.with([.dane("bravo.test")]) { lab in
            try await SMTPDialog.with(port: lab.smtpPort, within: .seconds(90)) { smtp in
                try await smtp.hello()
                try await smtp.say("MAIL FROM:<a@client.test>")
                #expect(try await smtp.say("RCPT TO:<x@far.test>").code == 250)
                try await self.reloadOtherSettings(lab)
                #expect(try await smtp.say("RCPT TO:<y@far.test>").code == 550)
                #expect(try await smtp.say("RCPT TO:<x@new.test>").code == 250)
            }
        }
    }

    /// Another domain is accepted, no network may relay, and one setting has to wait.
    private func reloadOtherSettings(_ lab: LabRelay) async throws {
        let file = lab.relayd.configuration
        let yaml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let bare = yaml.split(separator: "\n").filter { line in
            !["accepted-domains", "relay-networks"].contains { line.hasPrefix($0) }
        }
        let more = ["retry: {lifetime: 2d}", "accepted-domains: [{domain: new.test}]", "relay-networks: []", ""]
        try Data((bare.map { String($0) } + more).joined(separator: "\n").utf8).write(to: file)
        try lab.relayd.reload()
        let line = await lab.relayd.waitForLogLine { $0["msg"] == "configuration reloaded" }
        #expect(line?["after_restart"] == "retry.lifetime")
        let warning = await lab.relayd.waitForLogLine { $0["msg"]?.hasPrefix("changed settings wait") == true }
        #expect(warning?["level"] == "warning" && warning?["setting"] == "retry.lifetime")
    }
}
