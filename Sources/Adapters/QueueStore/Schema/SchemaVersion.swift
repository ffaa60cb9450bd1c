import PostgresDriver

/// The version of a database's schema, and how old the programs may be that work with it.
struct SchemaVersion: Hashable, Sendable {
    /// 0 where nothing was migrated.
    let version: Int32
    /// The schema that a program must at least make.
    let leastProgram: Int32

    /// Whether a newer program has migrated the database.
    var isNewer: Bool { self.version > QueueMigrations.latestVersion }

    /// Reads it.
    static func read(from pool: PostgresPool) async throws(QueueStoreError) -> SchemaVersion {
        let found = try await pool.idempotently([Statement("SELECT max(version) FROM relay.schema_version")])
        let version: Int32 = try QueueStore.only(found[0]).value(0, as: Int32?.self) ?? 0
        // An older schema has no such column.
        guard version > QueueMigrations.latestVersion else { return SchemaVersion(version: version, leastProgram: 0) }
        let least = try await pool.idempotently([Statement("SELECT max(least_program) FROM relay.schema_version")])
        return SchemaVersion(version: version, leastProgram: try QueueStore.only(least[0]).value(0))
    }
}
