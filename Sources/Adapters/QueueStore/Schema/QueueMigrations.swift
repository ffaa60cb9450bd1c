public import Logging
public import PostgresDriver

/// Brings the schema `relay` of a database up to date.
public enum QueueMigrations {
    /// The version that this program needs.
    public static var latestVersion: Int32 { Self.schema.latestVersion }

    /// The schema.
    static let schema = MigratedSchema(
        name: "relay", subject: "the queue", command: "relayd migrate", lock: 7_238_947_123,
        migrations: [
            .queue, .destinations, .storage, .waiting, .administration, .traceLimit, .tlsFailure, .dnsFlush,
            .queueStates,
            .messageNames, .receptions, .readers, .queueRules, .staleTerms, .operations,
        ],
        prologue: Self.prologue)

    /// The shards of a new queue, unless others are asked for.
    public static let defaultShardCount = 64

    /// Looks at a database, and changes nothing.
    ///
    /// - Parameters:
    ///   - adminConnectionString: of a role that may create schemas and roles.
    ///   - shardCount: what is wanted; an existing queue keeps its number, and another one is refused.
    ///   - roles: likewise.
    public static func plan(
        adminConnectionString: String, shardCount: Int? = nil, roles: QueueRoles? = nil, logger: Logger
    ) async throws(MigrationError) -> MigrationPlan {
        let pool = SchemaMigrator.pool(adminConnectionString, for: Self.schema, logger: logger)
        defer { pool.shutDown() }
        return try await Self.plan(pool, shardCount, roles)
    }

    /// Applies, each in a transaction of its own and under a lock, the migrations that are missing.
    ///
    /// It makes the group roles `relay_queue` (edge nodes), `relay_admin` (operators) and `relay_viewer` (people who
    /// read all but content), or others by name. The operator makes login roles and grants them. Running it again, or
    /// twice at once, does no harm.
    ///
    /// - Parameters:
    ///   - adminConnectionString: of a role that may create schemas and roles.
    ///   - shardCount: for a new queue; an existing one keeps its number, and another one is refused.
    ///   - roles: how the group roles are called; an existing queue keeps its names, and others are refused.
    ///   - patience: with whoever holds a lock that a step needs.
    ///   - report: is given a line for people about each step that waits.
    public static func migrate(
        adminConnectionString: String, shardCount: Int? = nil, roles: QueueRoles? = nil,
        patience: MigrationPatience = MigrationPatience(), logger: Logger, report: (String) -> Void = { _ in }
    ) async throws(MigrationError) {
        let pool = SchemaMigrator.pool(adminConnectionString, for: Self.schema, logger: logger)
        defer { pool.shutDown() }
        let names = try await Self.plan(pool, shardCount, roles).roles
        let migrator = SchemaMigrator(Self.schema, pool, patience: patience)
        try await migrator.migrate(roles: names.names, renamed: { names.renamed(in: $0) }, report)
        // Shards are made once: their number decides where stored entries are found.
        try await migrator.run("the table of shards", Self.shards(shardCount ?? Self.defaultShardCount), report)
        // Another run may have made them at this moment, in another number.
        _ = try await Self.plan(pool, shardCount, roles)
    }

    // MARK: - Looking

    private static func plan(
        _ pool: PostgresPool, _ shardCount: Int?, _ roles: QueueRoles?
    ) async throws(MigrationError) -> MigrationPlan {
        let migrator = SchemaMigrator(Self.schema, pool)
        let state = try await migrator.look()
        let found = try await migrator.looking { () async throws(PostgresError) -> MigrationPlan.Found in
            try await Self.look(pool, state)
        }
        return try MigrationPlan(found, wanted: shardCount, roles: roles)
    }

    private static func look(
        _ pool: PostgresPool, _ state: SchemaState
    ) async throws(PostgresError) -> MigrationPlan.Found {
        let row = try await pool.query(
            Statement(
                "SELECT to_regclass('relay.shard_lease') IS NOT NULL, to_regclass('relay.role_names') IS NOT NULL")
        ).single()
        let (hasShards, hasNames): (Bool, Bool) = (try row.get(0), try row.get(1))
        let shards: Int64 =
            hasShards ? try await pool.query(Statement("SELECT count(*) FROM relay.shard_lease")).single().get(0) : 0
        let name: String? =
            hasNames ? try await pool.query(Statement("SELECT queue FROM relay.role_names")).single().get(0) : nil
        return MigrationPlan.Found(state: state, shards: Int(shards), queueRole: name)
    }

    // MARK: - Changing

    private static func shards(_ count: Int) -> String {
        """
        INSERT INTO relay.shard_lease (shard) SELECT generate_series(0, \(count) - 1)
        WHERE NOT EXISTS (SELECT FROM relay.shard_lease) ON CONFLICT DO NOTHING
        """
    }

    private static let prologue = """
        -- From the first step on, so that one that is run again after it was broken off finds the names.
        CREATE TABLE IF NOT EXISTS relay.role_names (queue text PRIMARY KEY, admin text NOT NULL, viewer text NOT NULL)
            WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
        INSERT INTO relay.role_names VALUES ('relay_queue', 'relay_admin', 'relay_viewer') ON CONFLICT DO NOTHING;
        DO $column$ BEGIN
            -- Asked first, since to alter it takes a lock even where nothing is to be done.
            IF NOT EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = 'relay.schema_version'::regclass AND attname = 'least_program') THEN
                ALTER TABLE relay.schema_version ADD COLUMN least_program int4 NOT NULL DEFAULT 0;
            END IF;
        END $column$;
        """
}
