public import Foundation
import LabSupport
import Synchronization

/// A PostgreSQL server of our own: in a temporary directory, on a unix socket only, gone at the end.
///
/// It runs as an ordinary user even when started by root. Access is by the folder's permissions (0700) alone.
public final class PrivatePostgres: Sendable {
    /// What a crash of the machine may cost.
    public enum Durability: Sendable {
        /// Nothing: commits are on disk, as in production. For demonstrations and benchmarks.
        case durable
        /// Everything, for speed. A crash of the server alone still loses nothing.
        case relaxed
    }

    /// The folder of data, socket and log.
    public let directory: URL
    /// The superuser of the server.
    public static let superuser = "postgres"

    let binaries: String
    let account: String?
    private let durability: Durability
    private let process: Mutex<ChildProcess?>
    /// Its own small disks, if it has any.
    public let disks: PrivateDisks?

    /// Makes a cluster and starts its server.
    ///
    /// - Parameters:
    ///   - parent: where its folder is made, if not among the temporary files. Its path must be short, since a unix socket's
    ///     path holds 107 bytes, and PostgreSQL's own account must be able to pass through it.
    ///   - disks: gives data and write-ahead log small disks of their own.
    public static func start(
        durability: Durability = .relaxed, in parent: URL? = nil, disks: PrivateDisks.Sizes? = nil
    ) async throws -> PrivatePostgres {
        let random = String(UInt64.random(in: .min ... .max), radix: 36)
        let directory = parent?.appending(path: "postgres") ?? URL(filePath: "/tmp/relay-pg-\(random)")
        return try await Self.start(durability, directory: directory, disks: disks) { try await $0.initialize() }
    }

    /// Makes the folder, fills it by `prepare`, and starts the server on it.
    static func start(
        _ durability: Durability, directory: URL, disks: PrivateDisks.Sizes? = nil,
        _ prepare: (PrivatePostgres) async throws -> Void
    ) async throws -> PrivatePostgres {
        let server = try await Self(durability: durability, directory: directory, disks: disks)
        do {
            try await prepare(server)
            try await server.launch()
        } catch {
            await server.stop()
            throw error
        }
        return server
    }

    /// Runs `body` with a server of its own, and ends and removes the server whatever happens.
    public static func withServer<Value>(
        durability: Durability = .relaxed, _ body: (PrivatePostgres) async throws -> Value
    ) async throws -> Value {
        let server = try await Self.start(durability: durability)
        do {
            let value = try await body(server)
            await server.stop()
            return value
        } catch {
            await server.stop()
            throw error
        }
    }

    private init(durability: Durability, directory: URL, disks: PrivateDisks.Sizes?) async throws {
        self.binaries = try Self.locateBinaries()
        let account = geteuid() == 0 ? try Self.unprivilegedAccount() : nil
        self.account = account
        self.durability = durability
        self.process = Mutex(nil)
        self.directory = directory
        let manager = FileManager.default
        try manager.createDirectory(
            at: self.directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        if let account = self.account {
            try manager.setAttributes([.ownerAccountName: account], ofItemAtPath: self.directory.path)
        }
        do {
            self.disks = try await disks.asyncMap { try await PrivateDisks.mount($0, in: directory, owner: account) }
        } catch {
            try? manager.removeItem(at: directory)
            throw error
        }
    }

    /// The major version, such as `15`.
    public var version: String {
        URL(filePath: self.binaries).deletingLastPathComponent().lastPathComponent
    }

    /// The libpq connection string of a database, as the given role.
    ///
    /// - Parameter other: the folder of another server, which is used when this one takes no writes.
    public func connectionString(
        database: String = "postgres", user: String = PrivatePostgres.superuser, orElse other: URL? = nil
    ) -> String {
        let hosts = [self.directory.path] + (other.map { [$0.path] } ?? [])
        let choice = other == nil ? "" : " target_session_attrs=read-write"
        return "host=\(hosts.joined(separator: ",")) port=5432 dbname=\(database) user=\(user)\(choice)"
    }

    /// Whether the server runs; one that has given up does not.
    public var isRunning: Bool { self.process.withLock { $0?.isRunning ?? false } }

    /// The server's process id while it runs.
    public var processIdentifier: Int32? { self.process.withLock { $0?.processIdentifier } }

    /// Ends the server as a crash would: no checkpoint, every connection cut.
    public func stopImmediately() async {
        let running = self.process.withLock { $0 }
        await running?.stop(signal: SIGQUIT)
        self.process.withLock { $0 = nil }
    }

    /// Starts the server again on the same data.
    ///
    /// - Parameters:
    ///   - settings: such as `synchronous_standby_names=`; they go before what the server has stored.
    ///   - environment: such as `FakeClock.environment`.
    public func restart(with settings: [String] = [], environment: [String: String] = [:]) async throws {
        await self.stopImmediately()
        try await self.launch(with: settings, environment: environment)
    }

    /// Ends the server and removes its folder.
    public func stop() async {
        await self.stopImmediately()
        await self.disks?.unmount()
        try? FileManager.default.removeItem(at: self.directory)
    }

    // MARK: Starting

    var dataPath: String { self.directory.appending(path: "data").path }

    private func initialize() async throws {
        let program = "\(self.binaries)/initdb"
        let words =
            [
                program, "-D", self.dataPath, "-U", Self.superuser, "--auth=trust", "--no-sync", "-E", "UTF8",
                "--locale=C",
                "--no-instructions",
            ] + (self.disks?.initialSettings ?? [])
        let command = self.disks?.command(words, user: self.account) ?? words
        try await ChildProcess.run(
            command[0], Array(command.dropFirst()), user: self.disks == nil ? self.account : nil)
    }

    private func launch(with more: [String] = [], environment: [String: String] = [:]) async throws {
        var settings = [
            "listen_addresses=", "unix_socket_directories=\(self.directory.path)", "max_connections=600",
            "shared_buffers=128MB", "max_wal_size=2GB", "log_line_prefix=%m %d %u ", "timezone=UTC",
        ]
        if case .relaxed = self.durability { settings += ["fsync=off", "full_page_writes=off"] }
        settings += (self.disks?.settings ?? []) + more
        let words = ["\(self.binaries)/postgres", "-D", self.dataPath] + settings.flatMap { ["-c", $0] }
        let command = self.disks?.command(words, user: self.account) ?? words
        let child = try await ChildProcess(
            command[0], Array(command.dropFirst()), user: self.disks == nil ? self.account : nil,
            environment: environment, workingDirectory: self.directory, log: self.directory.appending(path: "log"))
        self.process.withLock { $0 = child }
        let socket = self.directory.path
        let probe = "\(self.binaries)/pg_isready"
        try await child.ready(within: .seconds(30), "PostgreSQL") {
            guard FileManager.default.fileExists(atPath: "\(socket)/.s.PGSQL.5432") else { return false }
            return (try? await ChildProcess.run(probe, ["-q", "-h", socket])) != nil
        }
    }

    /// Debian keeps each major version's programs in a folder of its own; the newest is taken.
    private static func locateBinaries() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newestFirst = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }
        for version in newestFirst where FileManager.default.isExecutableFile(atPath: "\(root)/\(version)/bin/initdb") {
            return "\(root)/\(version)/bin"
        }
        throw ChildProcess.Failure("PostgreSQL's server is not installed (Debian package postgresql)")
    }

    /// PostgreSQL refuses to run as root.
    private static func unprivilegedAccount() throws -> String {
        for name in ["postgres", "nobody"] where getpwnam(name) != nil { return name }
        throw ChildProcess.Failure("there is no account postgres or nobody to run PostgreSQL as")
    }
}
