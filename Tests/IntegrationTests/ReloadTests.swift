import Foundation
import Lab
import TLSEngine
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

    @Test("A setting that only a start can take is named")
    func otherSettings() async throws {
        try await LabRelay.with([.dane("bravo.test")]) { lab in
            let file = lab.relayd.configuration
            let yaml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
            try Data("retry: {lifetime: 2d}\n\(yaml)".utf8).write(to: file)
            try lab.relayd.reload()
            let line = await lab.relayd.waitForLogLine { $0["msg"] == "configuration reloaded" }
            #expect(line?["after_restart"] == "retry.lifetime")
        }
    }
}
