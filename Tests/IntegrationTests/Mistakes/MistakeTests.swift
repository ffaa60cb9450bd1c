import Foundation
import Lab
import Logging
import PostgresDriver
import QueueStore
import TLSEngine
import Testing

/// Makes each mistake with the real programs, and holds docs/mistakes.md against what they say.
@Suite("Mistakes and what the programs say to them", .timeLimit(.minutes(5)))
struct MistakeTests {
    @Test("Each mistake in the settings has its row in docs/mistakes.md: the message, and the exit code")
    func settings() async throws {
        let all = Mistake.files + Mistake.mail + Mistake.keys + Mistake.resolver + Mistake.connections
        try await MistakeWorkshop.with { workshop in
            try await Self.compare(all, workshop, section: "settings")
        }
    }

    @Test("Each mistake at the database has its row, too: schema, encoding, poolers, rights")
    func database() async throws {
        try await PrivatePostgres.withServer(durability: .durable) { server in
            try await MistakeWorkshop.with(server) { workshop in
                let poolers = try await DatabaseMistakes.prepare(server)
                let outcome: Result<Void, any Error>
                do {
                    try await Self.compare(DatabaseMistakes.all(server, poolers), workshop, section: "database")
                    outcome = .success(())
                } catch {
                    outcome = .failure(error)
                }
                for pooler in poolers { await pooler.stop() }
                try outcome.get()
            }
        }
    }

    private static func compare(_ mistakes: [Mistake], _ workshop: MistakeWorkshop, section: String) async throws {
        var found: [String] = []
        for mistake in mistakes { found.append(try await workshop.row(of: mistake)) }
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/mistakes.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").map { String($0) }
        let first = try #require(lines.firstIndex(of: "<!-- \(section) -->"), "docs/mistakes.md has no such section")
        // Behind the heading of the table and the line below it.
        let stated = lines[(first + 3)...].prefix { $0.hasPrefix("|") }
        for row in found where !stated.contains(row) { Issue.record("docs/mistakes.md lacks:\n\(row)") }
        for row in stated where !found.contains(row) { Issue.record("docs/mistakes.md states what is not so:\n\(row)") }
    }
}

/// The folder in which mistakes are made.
struct MistakeWorkshop {
    let folder: URL
    let server: PrivatePostgres?

    static func with(_ server: PrivatePostgres? = nil, _ body: (MistakeWorkshop) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let workshop = MistakeWorkshop(folder: folder, server: server)
            let pki = try TestPKI(now: .now)
            let (leaf, other) = (try pki.leaf("mx1.example.org"), try pki.leaf("mx1.example.org"))
            try workshop.write(leaf.chainPEM, "chain.pem", 0o600)
            try workshop.write(leaf.key.pem, "key.pem", 0o600)
            try workshop.write(leaf.key.pem, "open-key.pem", 0o644)
            try workshop.write(other.key.pem, "other-key.pem", 0o600)
            try workshop.write("nothing that anybody could use\n", "garbage", 0o600)
            try workshop.write("", "empty", 0o600)
            try workshop.write("alice:secret\n", "users", 0o600)
            try await body(workshop)
        }
    }

    private func write(_ text: String, _ name: String, _ mode: Int) throws {
        let path = self.folder.appending(path: name).path
        try? FileManager.default.removeItem(atPath: path)
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    /// Makes the mistake, and tells what came of it as a row of the page.
    func row(of mistake: Mistake) async throws -> String {
        var arguments = mistake.arguments.map { self.placed($0) }
        if let yaml = mistake.yaml {
            try self.write(self.placed(yaml), "relayd.yaml", mistake.mode)
            arguments += ["--config", self.folder.appending(path: "relayd.yaml").path]
        }
        let program = try RelaydProcess.besideThisProgram().deletingLastPathComponent().appending(path: mistake.program)
        let log = self.folder.appending(path: "output")
        let child = try await ChildProcess(
            program.path, arguments, user: mistake.asOrdinaryUser && geteuid() == 0 ? "daemon" : nil,
            environment: mistake.environment, log: log)
        guard await child.ended(within: .seconds(60)) else {
            await child.stop(signal: SIGKILL)
            throw LabFailure("\(mistake.title): goes on: \(child.lastOutput())")
        }
        let output = String(decoding: try Data(contentsOf: log), as: UTF8.self)
        return "| \(mistake.title) | \(self.told(output)) | \(child.terminationStatus ?? -1) |"
    }

    private func placed(_ text: String) -> String { text.replacing("DIR", with: self.folder.path) }

    /// The lines for people, with what differs from run to run replaced by what is usual.
    private func told(_ output: String) -> String {
        let lines = output.split(separator: "\n").filter {
            !$0.hasPrefix("{") && $0 != "The configuration is good." && !$0.hasPrefix("Usage:")
                && !$0.hasPrefix("  See")
        }
        var text = lines.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
        text = text.replacing(self.folder.path, with: "/etc/relayd")
        if let server { text = text.replacing(server.directory.path, with: "/run/postgresql") }
        text = text.replacing(#/user id \d+/#, with: "user id 998").replacing(#/pid \d+/#, with: "pid 4711")
        text = text.replacing("version \(QueueMigrations.latestVersion)", with: "version 12")
        text = text.replacing(#/open for \d+ s/#, with: "open for 600 s").replacing(#/port 2\d{4}/#, with: "port 6432")
        return "`\(text.replacing("`", with: "'"))`"
    }
}
