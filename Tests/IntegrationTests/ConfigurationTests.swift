import Cryptography
import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import Testing

@Suite("relayd and its configuration", .timeLimit(.minutes(3)))
struct ConfigurationTests {
    /// Runs relayd to its end.
    private func relayd(
        _ arguments: [String], in folder: URL
    ) async throws -> (status: Int32, output: String) {
        let log = folder.appending(path: "output-\(UUID().uuidString)")
        let child = try await ChildProcess(BuiltProgram.named("relayd").path, arguments, log: log)
        guard await child.ended(within: .seconds(30)) else {
            await child.stop()
            throw LabFailure("relayd \(arguments) goes on: \(child.lastOutput())")
        }
        return (child.terminationStatus ?? -1, String(decoding: try Data(contentsOf: log), as: UTF8.self))
    }

    @Test("An unknown key fails the start with 78, naming file, line and the nearest key", arguments: [["run"], []])
    func unknownKey(_ command: [String]) async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            try Data("node:\n  name: relay.test\nqueue:\n  shard: 4\n".utf8).write(to: file)
            let (status, output) = try await self.relayd(command + ["--config", file.path], in: folder)
            #expect(status == 78)
            #expect(output.contains("\(file.path):4: queue.shard: unknown key; did you mean queue.shards?"))
        }
    }

    @Test("`config check` says what is wrong, all of it at once, or that all is well")
    func check() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            try Data("queue:\n  lease-ttl: soon\nretry:\n  schedul: [1s]\n".utf8).write(to: file)
            let bad = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(bad.status == 78)
            #expect(bad.output.contains("\(file.path):2: queue.lease-ttl: "))
            #expect(bad.output.contains("\(file.path):4: retry.schedul: unknown key; did you mean retry.schedule?"))

            try Data("node:\n  name: mx1.example.org\nqueue:\n  lease-ttl: 20s\n".utf8).write(to: file)
            let good = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(good.status == 0, "\(good.output)")
            let warnings = good.output.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
            #expect(warnings.count == 1)
            #expect(warnings.first?.contains("tls.certificates: no certificate is configured") == true)
        }
    }

    @Test("`config check` warns of unverified recipients that strangers can write to (field A3)")
    func unverifiedRecipients() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            try Data("accepted-domains: [{domain: ours.test}]\n".utf8).write(to: file)
            let (status, output) = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(status == 0)
            #expect(
                output.contains("warning: \(file.path):1: accepted-domains: recipients of ours.test are not verified"))
        }
    }

    @Test(
        "An accepted domain whose mail would come back: `config check --dns` warns, RCPT is answered 451, and of no other domain"
    )
    func returningDomains() async throws {
        var options = LabRelayOptions()
        let port = Ports.unused()
        options.smtpPort = port
        options.zones = [LabZone("ours.test", [.mx(LabRelay.nodeName), .a("inside.ours.test", "127.0.0.1")])]
        options.settings["accepted-domains"] =
            "[{domain: bravo.test}, {domain: ours.test}, {domain: named.test, next-hop: \"inside.ours.test:\(port)\"}]"
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            let arguments = ["config", "check", "--config", lab.folder.url.appending(path: "relayd.yaml").path]
            let with = try await self.relayd(arguments + ["--dns"], in: lab.folder.url)
            #expect(with.status == 0)
            let told =
                "accepted-domains[1]: ours.test has no next-hop, and its best mail exchanger is this node:"
            #expect(with.output.contains(told), "\(with.output)")
            #expect(
                with.output.contains("accepted-domains[2]: inside.ours.test:\(port), the next-hop of named.test, has"))
            #expect(!with.output.contains("accepted-domains[0]"))
            let without = try await self.relayd(arguments, in: lab.folder.url)
            #expect(!without.output.contains("best mail exchanger"))

            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                try await smtp.say("MAIL FROM:<alice@alpha.test>")
                for domain in ["ours.test", "named.test"] {
                    let refusal = try await smtp.say("RCPT TO:<bob@\(domain)>")
                    #expect("\(refusal)".hasPrefix("451 4.4.6 "), "\(refusal)")
                }
                let reply = try await smtp.say("RCPT TO:<bob@bravo.test>")
                #expect(reply.code == 250)
            }
            let line = await lab.relayd.waitForLogLine {
                $0.text.contains("ours.test has no next-hop, and its best mail exchanger is this node")
            }
            #expect(line != nil)
        }
    }

    @Test("`config check` warns of domains that are not validated, and calls the configuration good (field D9)")
    func unvalidatedDomains() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            let entry = "{domain: a.example, reason: their DS is wrong, until: 2999-01-31}"
            try Data("resolver:\n  unvalidated-domains: [\(entry)]\n".utf8).write(to: file)
            let (status, output) = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(status == 0)
            #expect(output.contains("warning: \(file.path):2: resolver.unvalidated-domains[0]: "), "\(output)")
        }
    }

    @Test(
        "`config check` warns of exceptions from owed TLS, `config show` lists them, and a file of authorities must be good"
    )
    func tlsExceptions() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            let entry = "{domain: a.example, reason: stale records, until: 2999-01-31}"
            try Data("delivery:\n  tls-exceptions: [\(entry)]\n".utf8).write(to: file)
            let check = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(check.status == 0)
            #expect(check.output.contains("warning: \(file.path):2: delivery.tls-exceptions[0]: "), "\(check.output)")
            let show = try await self.relayd(["config", "show", "--config", file.path], in: folder)
            #expect(show.output.contains("stale records") && show.output.contains("2999-01-31"), "\(show.output)")

            let rule = "{domain: a.example, tls: verify, tls-name: mx.a.example, tls-ca-file: /nonexistent}"
            try Data("delivery:\n  destinations: [\(rule)]\n".utf8).write(to: file)
            let bad = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(bad.status == 78)
            #expect(bad.output.contains("\(file.path):2: delivery.destinations[0].tls-ca-file: "), "\(bad.output)")
        }
    }

    @Test("`relayctl config` says what `relayd config` says, ends as it does, and lists exceptions")
    func sameOfBoth() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "relayd.yaml")
            let entries = [
                "old.example, reason: stale records, until: 2020-01-31", "b.example, reason: key, until: 2999-01-31",
            ]
            let list = entries.map { "{domain: \($0)}" }.joined(separator: ", ")
            try Data("delivery:\n  tls-exceptions: [\(list)]\nqueue: {lease-ttl: 20s}\n".utf8).write(to: file)
            let settings = ["--config", file.path, "--set", "delivery.destinations=[{domain: b.example, tls: dane}]"]
            for command in ["check", "show"] {
                let runs = [
                    try await ProgramRun.of("relayd", ["config", command] + settings),
                    try await ProgramRun.of("relayctl", ["config", command] + settings),
                ]
                #expect(runs[0].status == 0 && runs[0].output == runs[1].output && runs[0].errors == runs[1].errors)
                #expect(runs[1].status == 0 && (runs[1].output + runs[1].errors).contains("tls-exceptions"))
            }
            let table = try await ProgramRun.of("relayctl", ["config", "exceptions"] + settings)
            #expect(table.status == 0, "\(table.errors)")
            let lines = table.output.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace) }
            #expect(lines.first?.prefix(4) == ["DOMAIN", "POLICY", "UNTIL", "STATE"])
            #expect(lines[1].prefix(4) == ["old.example", "opportunistic", "2020-01-31", "expired"])
            #expect(lines[2].prefix(5) == ["b.example", "dane", "2999-01-31", "in", "force"])

            let bad = ["--config", file.path, "--set", "queue.shard=3"]
            for program in ["relayd", "relayctl"] {
                #expect(try await ProgramRun.of(program, ["config", "check"] + bad).status == 78)
            }
            #expect(try await ProgramRun.of("relayctl", ["config", "exceptions"] + bad).status == 78)
        }
    }

    @Test(
        "Files that a start refuses are refused by `config check` too, with 78 (hostile-input 41)",
        arguments: [["config", "check"], ["run"]])
    func files(_ command: [String]) async throws {
        try await withTemporaryFolder { folder in
            let leaf = try TestPKI().leaf("mx.example")
            let (chain, key) = (folder.appending(path: "chain.pem"), folder.appending(path: "key.pem"))
            try Data(leaf.chainPEM.utf8).write(to: chain)
            try Data(leaf.key.pem.utf8).write(to: key)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key.path)
            let file = folder.appending(path: "relayd.yaml")
            let yaml = """
                tls:
                  certificates: [{certificate: "\(chain.path)", key: "\(key.path)"}]
                resolver:
                  trust-anchor-files: [/absent/root.key]
                """
            try Data(yaml.utf8).write(to: file)
            let (status, output) = try await self.relayd(command + ["--config", file.path], in: folder)
            #expect(status == 78)
            #expect(output.contains("\(file.path):2: tls.certificates[0]: \(key.path): others can read"))
            #expect(output.contains("\(file.path):4: resolver.trust-anchor-files[0]: /absent/root.key: cannot be read"))
        }
    }

    @Test("What `config defaults` prints loads back as it is")
    func defaults() async throws {
        try await withTemporaryFolder { folder in
            let printed = try await self.relayd(["config", "defaults"], in: folder)
            #expect(printed.status == 0)
            #expect(printed.output.contains("lease-ttl: 10s"))
            let file = folder.appending(path: "relayd.yaml")
            try Data(printed.output.utf8).write(to: file)
            let check = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(check.status == 0, "\(check.output)")
            let shown = try await self.relayd(["config", "show", "--config", file.path], in: folder)
            #expect(shown.status == 0)
            #expect(shown.output.contains("lease-ttl: 10s"))
        }
    }

    @Test("`auth hash` prints a line that the file of users takes, and a file that others can read is refused")
    func users() async throws {
        try await withTemporaryFolder { folder in
            let relayd = try BuiltProgram.named("relayd").path
            let line = try await ChildProcess.run(
                "/bin/sh", ["-c", "echo secret | \(relayd) auth hash alice@example.org"], limit: .seconds(30))
            #expect(line.hasPrefix("alice@example.org:$scrypt$ln=15,r=8,p=1$"), "\(line)")
            let leaf = try TestPKI().leaf("mx.example")
            let files = ["chain.pem": leaf.chainPEM, "key.pem": leaf.key.pem, "users": line + "bob:secret\n"]
            for (name, text) in files {
                let url = folder.appending(path: name)
                try Data(text.utf8).write(to: url)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: url.path)
            }
            let file = folder.appending(path: "relayd.yaml")
            let path = folder.path
            let yaml = """
                tls: {certificates: [{certificate: "\(path)/chain.pem", key: "\(path)/key.pem"}]}
                auth: {users-file: "\(path)/users"}
                """
            try Data(yaml.utf8).write(to: file)
            let bad = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(bad.status == 78)
            #expect(bad.output.contains("\(file.path):2: auth.users-file: \(path)/users: line 2: "), "\(bad.output)")
            #expect(!bad.output.contains("secret"))

            let users = folder.appending(path: "users")
            try Data(line.utf8).write(to: users)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: users.path)
            let exposed = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(exposed.status == 78)
            #expect(exposed.output.contains("others can read"), "\(exposed.output)")
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: users.path)
            let good = try await self.relayd(["config", "check", "--config", file.path], in: folder)
            #expect(good.status == 0, "\(good.output)")
        }
    }
}
