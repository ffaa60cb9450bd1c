import ControlStore
public import Foundation
public import LabDatabase
public import LabSupport
import Synchronization

/// A cluster with real controllers: `relay-controller init` makes it on a database, and replicas serve on loopback.
///
/// ```swift
/// try await LabController.with { cluster in
///     let replica = try cluster.replica()
///     try await replica.process.start()
///     // cluster.credential is a file for `relayctl login`, and replica.port where to find the controller.
/// }
/// ```
public final class LabController: Sendable {
    /// What may be different.
    public struct Options: Sendable {
        /// The name of the cluster.
        public var cluster = "lab"
        /// Settings of all replicas: whole values in YAML, by whole key.
        public var settings: [String: String] = [:]
        /// What programs find in their environment, such as another clock.
        public var environment: [String: String] = [:]
        /// The server of the database; the one of all tests unless given.
        public var server: PrivatePostgres?

        /// A cluster as most tests want it.
        public init() {}
    }

    /// One replica: a process, and where it listens on 127.0.0.1.
    public struct Replica: Sendable {
        /// Its name, and that of its process.
        public let name: String
        /// The process.
        public let process: RelaydProcess
        /// The port of nodes and of `relayctl`.
        public let port: UInt16

        /// As `relayctl` and `control.addresses` take it.
        public var address: String { "127.0.0.1:\(self.port)" }
    }

    /// The login of controllers.
    public static let login = ControlDatabase.login

    /// All files: keys, credentials, configurations and logs.
    public let folder: LabFolder
    /// The database.
    public let database: PrivateDatabase
    /// The program.
    public let executable: URL
    private let options: Options

    /// A cluster that is not made yet: a database and a folder. The caller removes the folder in the end.
    public init(_ options: Options = Options(), in folder: LabFolder, database: PrivateDatabase) throws(LabFailure) {
        self.executable = try BuiltProgram.named("relay-controller")
        self.folder = folder
        self.database = database
        self.options = options
    }

    /// Makes a cluster, lets `body` use it, and ends all replicas whatever happens.
    ///
    /// - Parameter isMade: whether `init` has been run before `body`.
    public static func with<Value: Sendable>(
        _ options: Options = Options(), isMade: Bool = true, _ body: (LabController) async throws -> Value
    ) async throws -> Value {
        try await PrivateDatabase.with("cluster", on: options.server) { database in
            let folder = try LabFolder.temporary()
            defer { folder.remove() }
            let cluster = try LabController(options, in: folder, database: database)
            let result: Result<Value, any Error>
            do {
                if isMade { try await cluster.make() }
                result = .success(try await body(cluster))
            } catch {
                result = .failure(error)
            }
            await cluster.stop()
            return try result.get()
        }
    }

    private let replicas = Mutex<[Replica]>([])

    /// The credential of the first administrator, as `init` wrote it.
    public var credential: URL { self.folder.url.appending(path: "admin.pem") }
    /// The file of the key-encryption key.
    public var keyFile: URL { self.folder.url.appending(path: "encryption.key") }

    /// Makes schema, cluster and first administrator by `relay-controller init`, and the login of the replicas.
    ///
    /// - Parameter environment: of that command alone, such as another clock.
    public func make(environment: [String: String] = [:]) async throws {
        let configuration = try self.configuration("init")
        try await ChildProcess.run(
            self.executable.path,
            [
                "init", "--cluster", self.options.cluster, "--credential-file", self.credential.path, "--connection",
                self.database.connectionString(), "--config", configuration.path,
            ], environment: self.options.environment.merging(environment) { $1 })
        try await self.makeLogin()
    }

    /// Makes the login of the replicas alone, where the schema is there.
    public func makeLogin() async throws {
        try await self.database.makeLogin(Self.login, in: ControlRoles.usual.control)
    }

    /// A replica that has not been started.
    public func replica(
        _ name: String = "controller-1", settings: [String: String] = [:], environment: [String: String] = [:]
    ) throws -> Replica {
        let (port, telemetryPort) = (Ports.unused(), Ports.unused())
        let configuration = try self.configuration(name, port: port, telemetryPort: telemetryPort, settings: settings)
        let process = RelaydProcess(
            name, executable: self.executable, configuration: configuration, telemetryPort: telemetryPort,
            logFolder: self.folder.url, environment: self.options.environment.merging(environment) { $1 })
        let replica = Replica(name: name, process: process, port: port)
        self.replicas.withLock { $0.append(replica) }
        return replica
    }

    /// Writes the configuration of a replica, or of a command.
    public func configuration(
        _ name: String, port: UInt16 = 0, telemetryPort: UInt16 = 0, settings: [String: String] = [:]
    ) throws(LabFailure) -> URL {
        var values = LabSettings(values: [
            "controller.name": name,
            "control.listeners": "[\"127.0.0.1:\(port)\"]",
            "database.connection": LabSettings.quoted(self.database.connectionString(as: Self.login)),
            "keys.encryption-key-file": LabSettings.quoted(self.keyFile.path),
            "telemetry.address": "\"127.0.0.1:\(telemetryPort)\"",
        ])
        values.override(self.options.settings)
        values.override(settings)
        return try self.folder.write(values.yaml, to: "\(name).yaml")
    }

    /// Ends all replicas.
    public func stop() async {
        for replica in self.replicas.withLock({ $0 }) { await replica.process.stop(patience: .seconds(10)) }
    }
}
