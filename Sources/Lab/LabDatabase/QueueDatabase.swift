public import Foundation
import LabSupport
import Logging
import PostgresDriver
public import QueueStore

/// The relay's database on a lab's server, with its schema, and a role for the relay that may do no more than it needs.
public struct QueueDatabase: Sendable {
    private static let name = "relay"
    private static let role = "relayd"

    /// How the relay connects.
    public let queueConnection: String
    /// The queue as the superuser sees it, for looking on.
    public let store: QueueStore

    /// Makes it on a server that has none yet.
    ///
    /// - Parameters:
    ///   - standby: the folder of another server, for use when the first one takes no writes.
    ///   - relayd: the program, which makes the schema.
    public static func create(
        on postgres: PrivatePostgres, standby: URL? = nil, shards: Int, relayd: URL
    ) async throws -> QueueDatabase {
        try await Self.run("CREATE DATABASE \(Self.name)", on: postgres, database: "postgres")
        let administration = postgres.connectionString(database: Self.name)
        try await Self.migrate(administration, shards: shards, relayd: relayd)
        try await Self.run(
            "CREATE ROLE \(Self.role) LOGIN IN ROLE relay_queue", on: postgres, database: Self.name)
        var settings = QueueStore.poolSettings(
            connectionString: postgres.connectionString(database: Self.name, orElse: standby))
        settings.size = 2
        settings.primaries = PrimaryHistory()
        settings.applicationName = "relay-lab"
        let pool = PostgresPool(settings, logger: Self.logger)
        do {
            return QueueDatabase(
                queueConnection: postgres.connectionString(database: Self.name, user: Self.role, orElse: standby),
                store: try await QueueStore(pool: pool, node: "lab"))
        } catch {
            pool.shutDown()
            throw error
        }
    }

    /// Makes the schema, as an operator does.
    private static func migrate(_ connection: String, shards: Int, relayd: URL) async throws {
        try await ChildProcess.run(
            relayd.path, ["migrate", "--connection", connection, "--shards", "\(shards)"])
    }

    private static func run(_ statement: String, on postgres: PrivatePostgres, database: String) async throws {
        var settings = PoolSettings(connectionString: postgres.connectionString(database: database))
        settings.size = 1
        let pool = PostgresPool(settings, logger: Self.logger)
        defer { pool.shutDown() }
        try await pool.script(statement)
    }

    /// Quiet: what fails is thrown.
    private static let logger = Logger(label: "lab", factory: { _ in SwiftLogNoOpLogHandler() })
}
