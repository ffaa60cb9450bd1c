public import Logging
import PostgresDriver

/// An operator's connection to the database of a queue. `close` ends it.
public struct QueueConnection: Sendable {
    private let pool: PostgresPool

    /// What is wrong with a connection string or URI of libpq; `nil` where it can be used.
    public static func fault(in connection: String) -> String? {
        ConnectionString.fault(in: connection).map { "\($0)" }
    }

    /// Begins to connect; what keeps it from that is told when the queue is opened.
    ///
    /// - Parameters:
    ///   - size: how many connections there are at most, for as many statements at a time.
    ///   - program: the name under which the database lists the connections.
    public init(_ connection: String, size: Int = 1, program: String = "relayctl", logger: Logger) {
        var settings = QueueAdministration.poolSettings(connectionString: connection)
        settings.size = size
        settings.applicationName = program
        self.pool = PostgresPool(settings, logger: logger)
    }

    /// Opens the queue of the database, which has been migrated.
    public func queue() async throws(QueueStoreError) -> QueueAdministration {
        try await QueueAdministration(pool: self.pool)
    }

    /// The roles by which a login may do more, as they are called in this database.
    public func roles() async -> QueueRoles { await QueueRoles.ofSchema(self.pool) ?? .usual }

    /// Who is logged in, as statements write it; `nil` where the database does not say.
    public func login() async -> String? { await QueueRoles.login(self.pool) }

    /// Closes the connection.
    public func close() { self.pool.shutDown() }
}
