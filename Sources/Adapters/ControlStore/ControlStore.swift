import ClusterModel
public import PostgresDriver

/// What the cluster is, in the schema `control` of a database: its authority, who belongs to it, the state that nodes serve
/// by, what nodes said, what was done, and who leads.
///
/// Every change is one transaction. Those that people make come one after the other, by the lock of the one row of
/// `control.cluster`, and each enters itself into the audit. Each is done once, even if its reply is lost and it is
/// repeated. What another one has changed meanwhile is an outcome, and no error.
///
/// Secrets come and go as bytes that are sealed already: no key is known here.
public final class ControlStore: Sendable {
    /// The connections.
    public let pool: PostgresPool

    /// Works by a pool, which it does not shut down.
    public init(pool: PostgresPool) { self.pool = pool }

    /// Pool settings for the store: a commit is on disk when it is reported, and a session that forgets a transaction loses it.
    public static func poolSettings(connectionString: String) -> PoolSettings {
        var settings = PoolSettings(connectionString: connectionString)
        settings.sessionSettings = [
            "synchronous_commit": "on", "default_transaction_isolation": "read committed",
            "idle_in_transaction_session_timeout": "5s", "statement_timeout": "15s", "jit": "off",
            "search_path": "pg_catalog",
            // Plans are made once for each session, perhaps while the tables are empty, and must be right for a great cluster.
            // Every access goes by key, so every join is a loop over index look-ups.
            "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_bitmapscan": "off",
            "max_parallel_workers_per_gather": "0",
        ]
        settings.planLifetime = .seconds(60)
        settings.applicationName = "relay-controller"
        return settings
    }

    /// Throws unless the database has a schema that this program may work with. It gives the schema's version where a newer
    /// program has migrated the database.
    @discardableResult
    public func checkSchema() async throws(ControlStoreError) -> Int32? {
        let row = try await self.row(
            "SELECT coalesce(max(version), 0), coalesce(max(least_program), 0) FROM control.schema_version")
        let (found, least): (Int32, Int32) = (try row.value(0), try row.value(1))
        let needed = ControlMigrations.latestVersion
        let versions = "the schema of the database is at version \(found), and this program needs version \(needed)"
        guard found >= needed else {
            throw ControlStoreError(
                .schemaMissing, "\(versions): run relay-controller migrate of this program's version")
        }
        guard least <= needed else {
            throw ControlStoreError(
                .schemaNewer, "\(versions): install the version of relay that made this schema, or a newer one")
        }
        return found > needed ? found : nil
    }

    // MARK: For the parts of the store

    /// Runs a transaction that may be repeated without harm, and repeats it when that may help.
    func idempotently(_ statements: [Statement]) async throws(ControlStoreError) -> [QueryResult] {
        do throws(PostgresError) {
            return try await IdempotentRetry.run { () async throws(PostgresError) -> [QueryResult] in
                try await self.pool.pipeline(statements)
            }
        } catch {
            throw ControlStoreError(error)
        }
    }

    /// The rows of one statement that may be repeated without harm.
    func rows(_ sql: String, _ parameters: any PostgresEncodable...) async throws(ControlStoreError) -> QueryResult {
        guard let result = try await self.idempotently([Statement(sql, parameters: parameters)]).first else {
            throw ControlStoreError(.other, "a statement without a result")
        }
        return result
    }

    /// The only row of such a statement.
    func row(_ sql: String, _ parameters: any PostgresEncodable...) async throws(ControlStoreError) -> QueryResult.Row {
        let results = try await self.idempotently([Statement(sql, parameters: parameters)])
        guard let row = results.first?.rows.first else { throw ControlStoreError(.other, "a statement without a row") }
        return row
    }
}
