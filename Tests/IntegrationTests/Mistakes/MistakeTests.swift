import Cryptography
import Foundation
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import Logging
import NIOCore
import NIOPosix
import PostgresDriver
import QueueStore
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

    @Test("Each mistake at the database or of a start has its row, too: schema, encoding, poolers, rights, ports")
    func database() async throws {
        try await PrivatePostgres.withServer(durability: .durable) { server in
            let holder = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(holder.localAddress?.port)
            try await MistakeWorkshop.with(server, heldPort: port) { workshop in
                let poolers = try await DatabaseMistakes.prepare(server)
                let outcome: Result<Void, any Error>
                do {
                    try await Self.compare(DatabaseMistakes.all(server, poolers), workshop, section: "database")
                    try await Self.compare(DatabaseMistakes.starts(server), workshop, section: "start")
                    outcome = .success(())
                } catch {
                    outcome = .failure(error)
                }
                for pooler in poolers { await pooler.stop() }
                try outcome.get()
            }
            try await holder.close()
        }
    }

    @Test("Each mistake with a controller has its row: keys, names, database and start")
    func controller() async throws {
        try await PrivatePostgres.withServer { server in
            let holder = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(holder.localAddress?.port)
            try await MistakeWorkshop.with(server, heldPort: port) { workshop in
                try await ControllerMistakes.prepare(server, in: workshop.folder)
                try await Self.compare(
                    ControllerMistakes.files + ControllerMistakes.database(server), workshop, section: "controller")
            }
            try await holder.close()
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
    /// Somebody listens there.
    let heldPort: Int?

    static func with(
        _ server: PrivatePostgres? = nil, heldPort: Int? = nil, _ body: (MistakeWorkshop) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let workshop = MistakeWorkshop(folder: folder, server: server, heldPort: heldPort)
            let pki = try TestPKI()
            let (leaf, other) = (try pki.leaf("mx1.example.org"), try pki.leaf("mx1.example.org"))
            try workshop.write(leaf.chainPEM, "chain.pem", 0o600)
            try workshop.write(leaf.key.pem, "key.pem", 0o600)
            try workshop.write(leaf.key.pem, "open-key.pem", 0o644)
            try workshop.write(other.key.pem, "other-key.pem", 0o600)
            let expired = try pki.leaf("mx1.example.org", validity: .expired)
            try workshop.write(expired.chainPEM, "expired.pem", 0o600)
            try workshop.write(expired.key.pem, "expired-key.pem", 0o600)
            try workshop.write("nothing that anybody could use\n", "garbage", 0o600)
            try workshop.write("", "empty", 0o600)
            try workshop.write("alice:secret\n", "users", 0o600)
            try workshop.write(String(repeating: "5a", count: 32), "encryption.key", 0o600)
            try workshop.write(String(repeating: "5a", count: 32), "open.key", 0o644)
            try workshop.write(String(repeating: "a5", count: 32), "other-encryption.key", 0o600)
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
            try self.write(self.placed(yaml), mistake.fileName, mistake.mode)
            arguments += ["--config", self.folder.appending(path: mistake.fileName).path]
        }
        let program = try BuiltProgram.named(mistake.program)
        let log = self.folder.appending(path: "output")
        let words = (mistake.isWithoutCapability ? Self.withoutCapability : []) + [program.path] + arguments
        let child = try await ChildProcess(
            words[0], Array(words.dropFirst()), user: mistake.asOrdinaryUser && geteuid() == 0 ? "daemon" : nil,
            environment: mistake.environment, log: log)
        guard await child.ended(within: .seconds(60)) else {
            await child.stop(signal: SIGKILL)
            throw LabFailure("\(mistake.title): goes on: \(child.lastOutput())")
        }
        let output = String(decoding: try Data(contentsOf: log), as: UTF8.self)
        return "| \(mistake.title) | \(self.told(output)) | \(child.terminationStatus ?? -1) |"
    }

    /// Root has it unless it is taken away; others get a network of their own as the root of a user namespace.
    private static let withoutCapability =
        ["unshare", "--net"] + (geteuid() == 0 ? [] : ["--map-root-user"])
        + ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"]

    private func placed(_ text: String) -> String {
        text.replacing("DIR", with: self.folder.path).replacing("HELD", with: "\(self.heldPort ?? 0)")
    }

    /// The lines for people, with what differs from run to run replaced by what is usual.
    private func told(_ output: String) -> String {
        let all = output.split(separator: "\n")
        // A node that ends by no fault of its settings says so in its log.
        let critical = all.compactMap { LabLogLine(String($0)) }.last { $0["level"] == "critical" }
        if let critical { return self.settled("\(critical["msg"] ?? ""): \(critical["error"] ?? "")") }
        let lines = all.filter {
            !$0.hasPrefix("{") && $0 != "The configuration is good." && !$0.hasPrefix("Usage:")
                && !$0.hasPrefix("  See")
        }
        return self.settled(lines.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; "))
    }

    private func settled(_ output: String) -> String {
        var text = output.replacing(self.folder.path, with: "/etc/relayd")
        if let heldPort { text = text.replacing(":\(heldPort)", with: ":2525") }
        if let server { text = text.replacing(server.directory.path, with: "/run/postgresql") }
        text = text.replacing(#/user id \d+/#, with: "user id 998").replacing(#/pid \d+/#, with: "pid 4711")
        text = text.replacing("version \(QueueMigrations.latestVersion)", with: "version N")
        text = text.replacing(#/sealed under key [0-9a-f]{16}/#, with: "sealed under key 0123456789abcdef")
        text = text.replacing(#/\d{4}-\d\d-\d\dT[\d:.]+Z/#, with: "2027-01-31T12:00:00Z")
        text = text.replacing(#/by \S+ \(process \d+\)/#, with: "by master (process 4711)")
        text = text.replacing(#/open for \d+ s/#, with: "open for 600 s").replacing(#/port 2\d{4}/#, with: "port 6432")
        return "`\(text.replacing("`", with: "'"))`"
    }
}
