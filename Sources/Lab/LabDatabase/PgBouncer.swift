import Foundation
import LabSupport

/// PgBouncer before a `PrivatePostgres`: Debian's `pgbouncer`, as a child on a loopback port.
public final class PgBouncer: Sendable {
    /// How long a client keeps its server connection.
    public enum PoolMode: String, Sendable, CaseIterable {
        case session, transaction, statement
    }

    private let postgres: PrivatePostgres
    private let directory: URL
    private let process: ChildProcess
    private let port: UInt16

    /// Starts it for a few users, who need no password.
    ///
    /// - Parameters:
    ///   - settings: lines of the `[pgbouncer]` section, such as `ignore_startup_parameters=options`.
    public static func start(
        before postgres: PrivatePostgres, mode: PoolMode, users: [String] = [PrivatePostgres.superuser],
        settings: [String] = []
    ) async throws -> PgBouncer {
        let random = String(UInt64.random(in: .min ... .max), radix: 36)
        let directory = URL(filePath: "/tmp/relay-pgb-\(random)")
        let port = Ports.unused()
        // Its own account reads these, and they hold no secret.
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        do {
            let userFile = directory.appending(path: "users")
            try users.map { "\"\($0)\" \"\"\n" }.joined().write(to: userFile, atomically: false, encoding: .utf8)
            let lines =
                [
                    "[databases]", "* = host=\(postgres.directory.path) port=5432", "[pgbouncer]",
                    "listen_addr=127.0.0.1", "listen_port=\(port)", "unix_socket_dir=", "auth_type=trust",
                    "auth_file=\(userFile.path)", "pool_mode=\(mode.rawValue)",
                ] + settings
            let file = directory.appending(path: "pgbouncer.ini")
            try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: false, encoding: .utf8)
            let process = try await ChildProcess(
                "pgbouncer", [file.path], user: postgres.account, log: directory.appending(path: "log"))
            try await process.ready(within: .seconds(10), "pgbouncer") { process.lastOutput().contains("process up") }
            return PgBouncer(postgres: postgres, directory: directory, process: process, port: port)
        } catch {
            try? FileManager.default.removeItem(at: directory)
            throw error
        }
    }

    private init(postgres: PrivatePostgres, directory: URL, process: ChildProcess, port: UInt16) {
        self.postgres = postgres
        self.directory = directory
        self.process = process
        self.port = port
    }

    /// The libpq connection string of a database, through the pooler.
    public func connectionString(
        database: String = "postgres", user: String = PrivatePostgres.superuser
    ) -> String {
        "host=127.0.0.1 port=\(self.port) dbname=\(database) user=\(user)"
    }

    /// Ends it and removes its folder.
    public func stop() async {
        await self.process.stop()
        try? FileManager.default.removeItem(at: self.directory)
    }
}
