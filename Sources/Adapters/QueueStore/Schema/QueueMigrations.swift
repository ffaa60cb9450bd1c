public import Logging
import PostgresDriver

/// Brings the schema `relay` of a database up to date.
public enum QueueMigrations {
    /// The version that this program needs.
    public static var latestVersion: Int32 { Migration.all.map(\.version).max() ?? 0 }

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
        let pool = Self.pool(adminConnectionString, logger)
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
        let pool = Self.pool(adminConnectionString, logger)
        defer { pool.shutDown() }
        let names = try await Self.plan(pool, shardCount, roles).roles
        try await Self.run(
            "the roles \(names.names.joined(separator: ", "))", Self.making(names), pool, patience, report)
        for migration in Migration.all {
            let step = "migration \(migration.version) (\(migration.name))"
            try await Self.run(step, names.renamed(in: Self.script(migration)), pool, patience, report)
        }
        // Shards are made once: their number decides where stored entries are found.
        let shards = Self.shards(shardCount ?? Self.defaultShardCount)
        try await Self.run("the table of shards", shards, pool, patience, report)
        // Another run may have made them at this moment, in another number.
        _ = try await Self.plan(pool, shardCount, roles)
    }

    // MARK: - Looking

    private static func pool(_ connectionString: String, _ logger: Logger) -> PostgresPool {
        var settings = PoolSettings(connectionString: connectionString)
        settings.size = 1
        settings.statementTimeout = .seconds(600)
        settings.acquireTimeout = .seconds(30)
        settings.applicationName = "relayd migrate"
        return PostgresPool(settings, logger: logger)
    }

    private static func plan(
        _ pool: PostgresPool, _ shardCount: Int?, _ roles: QueueRoles?
    ) async throws(MigrationError) -> MigrationPlan {
        let found: MigrationPlan.Found
        do {
            found = try await Self.look(pool)
        } catch {
            throw await Self.failure("looking at the database", error, pool)
        }
        return try MigrationPlan(found, wanted: shardCount, roles: roles)
    }

    private static func look(_ pool: PostgresPool) async throws(PostgresError) -> MigrationPlan.Found {
        let row = try await pool.query(
            Statement(
                """
                SELECT current_database(), pg_encoding_to_char(encoding),
                    to_regclass('relay.schema_version') IS NOT NULL, to_regclass('relay.shard_lease') IS NOT NULL,
                    to_regclass('relay.role_names') IS NOT NULL
                FROM pg_database WHERE datname = current_database()
                """)
        ).single()
        let (isMade, hasShards): (Bool, Bool) = (try row.get(2), try row.get(3))
        let versions = isMade ? try await Self.numbers("SELECT version FROM relay.schema_version", pool) : []
        let shards = hasShards ? try await Self.numbers("SELECT count(*)::int4 FROM relay.shard_lease", pool) : []
        let name: String? =
            try row.get(4) ? try await pool.query(Statement("SELECT queue FROM relay.role_names")).single().get(0) : nil
        return MigrationPlan.Found(
            database: try row.get(0), encoding: try row.get(1), versions: Set(versions), shards: Int(shards.first ?? 0),
            queueRole: name)
    }

    private static func numbers(_ sql: String, _ pool: PostgresPool) async throws(PostgresError) -> [Int32] {
        var numbers: [Int32] = []
        for row in try await pool.query(Statement(sql)).rows { numbers.append(try row.get(0)) }
        return numbers
    }

    // MARK: - Changing

    /// Runs one step. Who waits for a lock stops all who come after it, so it waits briefly, lets them pass, and tries again.
    static func run(
        _ step: String, _ sql: String, _ pool: PostgresPool, _ patience: MigrationPatience, _ report: (String) -> Void
    ) async throws(MigrationError) {
        let limited = "SET LOCAL lock_timeout = '\(patience.lockMilliseconds)ms';\n\(sql)"
        for attempt in 1... {
            do throws(PostgresError) {
                try await pool.script(limited)
                return
            } catch {
                guard error.sqlState == MigrationError.lockNotAvailable else {
                    throw await Self.failure(step, error, pool)
                }
                let who = await Self.holders(pool)
                guard attempt < patience.attempts else { throw MigrationError.locked(step, attempt, who) }
                report("\(step) waits for a lock, try \(attempt) of \(patience.attempts); locks are held by \(who)")
            }
            try? await Task.sleep(for: patience.pause)
        }
    }

    /// Why a step failed; where the login lacks rights, with what gives them.
    private static func failure(
        _ step: String, _ error: PostgresError, _ pool: PostgresPool
    ) async -> MigrationError {
        guard error.code == .insufficientPrivilege, let login = await MigrationLogin.read(pool) else {
            return MigrationError(step, error)
        }
        return MigrationError(step, error, deniedTo: login)
    }

    /// Who has locks on the queue's tables, or the one that migrations take.
    private static func holders(_ pool: PostgresPool) async -> String {
        let row = try? await pool.query(
            Statement(
                """
                SELECT string_agg(format('%s (pid %s, %s, %s, its transaction open for %s s)', usename, pid,
                    coalesce(nullif(application_name, ''), 'unnamed'), state,
                    extract(epoch FROM clock_timestamp() - xact_start)::int8), ', ' ORDER BY xact_start)
                FROM pg_stat_activity a WHERE pid <> pg_backend_pid() AND EXISTS (
                    SELECT FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
                    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE l.pid = a.pid AND l.granted AND l.database = a.datid
                        AND (n.nspname = 'relay' OR l.locktype = 'advisory'))
                """)
        ).single()
        let found = row.flatMap { try? $0.get(0, as: String?.self) }.flatMap(\.self)
        return found.map { String($0.prefix(600)) } ?? "sessions that this role may not see, or that have ended"
    }

    /// Roles belong to the whole server, and another database may be making them at this moment. In a transaction of their own,
    /// so that the migrations see them whoever made them.
    private static func making(_ roles: QueueRoles) -> String {
        """
        DO $roles$
        DECLARE role text;
        BEGIN
            FOREACH role IN ARRAY ARRAY['\(roles.names.joined(separator: "', '"))'] LOOP
                CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role);
                BEGIN
                    EXECUTE format('CREATE ROLE %I NOLOGIN', role);
                EXCEPTION WHEN duplicate_object OR unique_violation THEN
                    NULL;
                END;
            END LOOP;
        END $roles$
        """
    }

    private static func shards(_ count: Int) -> String {
        """
        INSERT INTO relay.shard_lease (shard) SELECT generate_series(0, \(count) - 1)
        WHERE NOT EXISTS (SELECT FROM relay.shard_lease) ON CONFLICT DO NOTHING
        """
    }

    /// One transaction: several statements in one simple query are one.
    private static func script(_ migration: Migration) -> String {
        """
        SELECT pg_advisory_xact_lock(7238947123);
        SET LOCAL client_min_messages = warning;
        CREATE SCHEMA IF NOT EXISTS relay;
        CREATE TABLE IF NOT EXISTS relay.schema_version (
            version int4 PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
            least_program int4 NOT NULL DEFAULT 0);
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
        DO $migration$ BEGIN
            IF NOT EXISTS (SELECT FROM relay.schema_version WHERE version = \(migration.version)) THEN
                EXECUTE $statements$
        \(migration.sql)
                $statements$;
                INSERT INTO relay.schema_version (version, name, least_program)
                    VALUES (\(migration.version), '\(migration.name)', \(migration.leastProgram));
            END IF;
        END $migration$;
        """
    }
}
