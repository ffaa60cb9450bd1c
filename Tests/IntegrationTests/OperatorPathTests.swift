import Foundation
import LabDatabase
import LabSupport
import Testing

/// Does what README tells a new operator to do, command by command.
@Suite("The operator's path of README", .timeLimit(.minutes(5)))
struct OperatorPathTests {
    /// README's section, between its heading and the next.
    private static func section(_ title: String) throws -> Substring {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let rest = try #require(text.firstRange(of: "\n## \(title)\n").map { text[$0.upperBound...] })
        return rest.firstRange(of: "\n## ").map { rest[..<$0.lowerBound] } ?? rest
    }

    /// The first block of a language.
    private static func block(_ language: String, of section: Substring) throws -> String {
        let start = try #require(section.firstRange(of: "\n```\(language)\n")).upperBound
        let end = try #require(section[start...].firstRange(of: "\n```\n")).lowerBound
        return String(section[start..<end])
    }

    @Test("From an empty server to a message in the queue, with a certificate, a user and the rights of each role")
    func path() async throws {
        let section = try Self.section("Run it")
        try await PrivatePostgres.withServer(durability: .durable) { server in
            try await withTemporaryFolder { folder in
                let (smtp, health) = (Ports.unused(), Ports.unused())
                let programs = BuiltProgram.folder.path
                // Where things are on this machine; what is done to them stays as it is written.
                func placed(_ text: String) -> String {
                    [
                        ("/etc/relayd", folder.path), (".build/release", programs),
                        ("db.example.org", server.directory.path), ("0.0.0.0:25", "127.0.0.1:\(smtp)"),
                        ("--port 25", "--port \(smtp)"), ("127.0.0.1:9925", "127.0.0.1:\(health)"),
                        ("swift build -c release\n", ""),
                        ("/relayd run", "/relayd run --config \(folder.path)/relayd.yaml"),
                        ("/relayd config check", "/relayd config check --config \(folder.path)/relayd.yaml"),
                        ("/relayd config show", "/relayd config show --config \(folder.path)/relayd.yaml"),
                        ("/relayctl queue list", "/relayctl queue list --config \(folder.path)/relayd.yaml"),
                    ].reduce(text) { $0.replacing($1.0, with: $1.1) }
                }
                try Data(placed(try Self.block("yaml", of: section)).utf8)
                    .write(to: folder.appending(path: "relayd.yaml"))
                // The node ends with the shell that started it.
                let script = "trap 'kill %1 && wait' EXIT\n" + placed(try Self.block("sh", of: section)) + "\n"
                try Data(script.utf8).write(to: folder.appending(path: "steps"))
                let output = folder.appending(path: "output")
                let shell = try await ChildProcess(
                    "/bin/bash", ["-eu", "-o", "pipefail", "-m", folder.appending(path: "steps").path],
                    environment: ["RELAYD_TELEMETRY_ADDRESS": "127.0.0.1:\(health)"], log: output)
                let hasEnded = await shell.ended(within: .seconds(120))
                if !hasEnded { await shell.stop() }
                let told = try String(contentsOf: output, encoding: .utf8)
                #expect(shell.terminationStatus == 0, "\(told)")
                for words in [
                    "would apply migration 1 ", "The configuration is good.", "[+]database ok", "[+]certificate ok",
                    "235 2.7.0", "OK: queued as ", "bob@example.org",
                ] { #expect(told.contains(words), "\(words) is not in \(told)") }
            }
        }
    }
}
