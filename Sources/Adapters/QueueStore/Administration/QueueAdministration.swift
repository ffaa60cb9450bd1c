public import MailModel
public import PostgresDriver

/// The queue as an operator sees and changes it: straight on the database, beside whoever owns its shards.
///
/// Reading takes the rights of `relay_queue` or `relay_admin`, changing those of `relay_admin`. Everything is done in
/// pages, each a short transaction, so a queue of any length neither holds up the owners nor fills memory.
public struct QueueAdministration: Sendable {
    /// The connections; one is enough.
    let pool: PostgresPool

    /// The most time for a scan that somebody asked for.
    private static let longTime = Duration.seconds(600)

    /// Settings of a pool for this: plans are made for the values at hand, since a person asks something else each
    /// time.
    public static func poolSettings(connectionString: String) -> PoolSettings {
        var settings = PoolSettings(connectionString: connectionString)
        settings.size = 1
        settings.statementTimeout = .seconds(30)
        settings.applicationName = "relayctl"
        settings.sessionSettings = [
            "synchronous_commit": "on", "default_transaction_isolation": "read committed",
            "idle_in_transaction_session_timeout": "5s", "jit": "off",
            "search_path": "pg_catalog", "plan_cache_mode": "force_custom_plan",
        ]
        return settings
    }

    /// Opens the queue of a database that has been migrated.
    public init(pool: PostgresPool) async throws(QueueStoreError) {
        self.pool = pool
        if let error = QueueStoreError(try await SchemaVersion.read(from: pool)) { throw error }
    }

    /// The database's clock.
    public func databaseTime() async throws(QueueStoreError) -> Timestamp {
        let results = try await self.pool.idempotently([Statement("SELECT clock_timestamp()")])
        return Timestamp(try QueueStore.only(results[0]).value(0))
    }

    func longRunning(_ statement: Statement) async throws(QueueStoreError) -> QueryResult {
        do throws(PostgresError) {
            return try await self.pool.query(statement, timeout: Self.longTime)
        } catch {
            throw QueueStoreError(error)
        }
    }
}
