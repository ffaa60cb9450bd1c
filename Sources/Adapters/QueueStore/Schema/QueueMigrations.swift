public import Logging
public import PostgresDriver

/// Brings the schema `relay` of a database up to date.
public enum QueueMigrations {
    /// The version that this program needs.
    public static var latestVersion: Int32 { Migration.all.map(\.version).max() ?? 0 }

    /// Applies, each in a transaction of its own and under a lock, the migrations that are missing.
    ///
    /// It makes the group roles `relay_queue` (edge nodes) and `relay_admin` (operators); the operator makes login roles and
    /// grants them. Running it again, or twice at once, does no harm.
    ///
    /// - Parameters:
    ///   - adminConnectionString: of a role that may create schemas and roles.
    ///   - shardCount: for a new queue; an existing one keeps its number.
    public static func migrate(
        adminConnectionString: String, shardCount: Int = 64, logger: Logger
    ) async throws(PostgresError) {
        precondition((1...4096).contains(shardCount) && shardCount.nonzeroBitCount == 1, "a power of two up to 4096")
        var settings = PoolSettings(connectionString: adminConnectionString)
        settings.size = 1
        settings.statementTimeout = .seconds(600)
        settings.acquireTimeout = .seconds(30)
        let pool = PostgresPool(settings, logger: logger)
        defer { pool.shutDown() }
        try await pool.script(Self.roles)
        for migration in Migration.all { try await pool.script(Self.script(migration)) }
        // Shards are made once: their number decides where stored entries are found.
        try await pool.query(
            Statement(
                """
                INSERT INTO relay.shard_lease (shard) SELECT generate_series(0, $1 - 1)
                WHERE NOT EXISTS (SELECT FROM relay.shard_lease) ON CONFLICT DO NOTHING
                """, Int32(shardCount)))
    }

    /// Roles belong to the whole server, and another database may be making them at this moment. In a transaction of their own,
    /// so that the migrations see them whoever made them.
    private static let roles = """
        DO $roles$
        DECLARE role text;
        BEGIN
            FOREACH role IN ARRAY ARRAY['relay_queue', 'relay_admin'] LOOP
                CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role);
                BEGIN
                    EXECUTE format('CREATE ROLE %I NOLOGIN', role);
                EXCEPTION WHEN duplicate_object OR unique_violation THEN
                    NULL;
                END;
            END LOOP;
        END $roles$
        """

    /// One transaction: several statements in one simple query are one.
    private static func script(_ migration: Migration) -> String {
        """
        SELECT pg_advisory_xact_lock(7238947123);
        SET LOCAL client_min_messages = warning;
        CREATE SCHEMA IF NOT EXISTS relay;
        CREATE TABLE IF NOT EXISTS relay.schema_version (
            version int4 PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
        DO $migration$ BEGIN
            IF NOT EXISTS (SELECT FROM relay.schema_version WHERE version = \(migration.version)) THEN
                EXECUTE $statements$
        \(migration.sql)
                $statements$;
                INSERT INTO relay.schema_version (version, name) VALUES (\(migration.version), '\(migration.name)');
            END IF;
        END $migration$;
        """
    }
}
