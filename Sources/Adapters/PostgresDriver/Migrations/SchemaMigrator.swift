public import Logging

/// Looks at a schema, and runs the steps that bring it up to date.
///
/// Each step is one transaction. Who waits for a lock stops all who come after it, so a step waits briefly, lets them pass,
/// and tries again.
public struct SchemaMigrator: Sendable {
    let schema: MigratedSchema
    let pool: PostgresPool
    let patience: MigrationPatience

    /// Works by a pool, which it does not shut down.
    public init(_ schema: MigratedSchema, _ pool: PostgresPool, patience: MigrationPatience = MigrationPatience()) {
        self.schema = schema
        self.pool = pool
        self.patience = patience
    }

    /// A connection for migrations, as a role that may create schemas and roles.
    public static func pool(
        _ connectionString: String, for schema: MigratedSchema, logger: Logger
    ) -> PostgresPool {
        var settings = PoolSettings(connectionString: connectionString)
        settings.size = 1
        settings.statementTimeout = .seconds(600)
        settings.acquireTimeout = .seconds(30)
        settings.applicationName = schema.command
        return PostgresPool(settings, logger: logger)
    }

    // MARK: Looking

    /// What the database holds; changes nothing.
    public func look() async throws(MigrationError) -> SchemaState {
        try await self.looking { () async throws(PostgresError) -> SchemaState in
            let row = try await self.pool.query(
                Statement(
                    """
                    SELECT current_database(), pg_encoding_to_char(encoding), to_regclass($1) IS NOT NULL
                    FROM pg_database WHERE datname = current_database()
                    """, "\(self.schema.name).schema_version")
            ).single()
            var versions: Set<Int32> = []
            if try row.get(2, as: Bool.self) {
                let found = try await self.pool.query(
                    Statement("SELECT version FROM \(self.schema.name).schema_version"))
                for row in found.rows { versions.insert(try row.get(0)) }
            }
            return SchemaState(database: try row.get(0), encoding: try row.get(1), versions: versions)
        }
    }

    /// Runs what reads, with the words of migrations for what fails.
    public func looking<Value>(
        _ body: () async throws(PostgresError) -> Value
    ) async throws(MigrationError) -> Value {
        do throws(PostgresError) {
            return try await body()
        } catch {
            throw await self.failure("looking at the database", error)
        }
    }

    // MARK: Changing

    /// Applies, each in a transaction of its own and under a lock, the migrations that are missing.
    ///
    /// - Parameters:
    ///   - roles: the group roles that they grant rights to; made first, where they are missing.
    ///   - renamed: puts the names of roles in place of the usual ones.
    ///   - report: is given a line for people about each step that waits.
    public func migrate(
        roles: [String], renamed: (String) -> String = { $0 }, _ report: (String) -> Void
    ) async throws(MigrationError) {
        try await self.run("the roles \(roles.joined(separator: ", "))", Self.making(roles), report)
        for migration in self.schema.migrations {
            try await self.run("migration \(migration.title)", renamed(self.schema.script(migration)), report)
        }
    }

    /// Runs one step.
    public func run(_ step: String, _ sql: String, _ report: (String) -> Void) async throws(MigrationError) {
        let limited = "SET LOCAL lock_timeout = '\(self.patience.lockMilliseconds)ms';\n\(sql)"
        for attempt in 1... {
            do throws(PostgresError) {
                try await self.pool.script(limited)
                return
            } catch {
                guard error.sqlState == MigrationError.lockNotAvailable else { throw await self.failure(step, error) }
                let who = await self.holders()
                guard attempt < self.patience.attempts else {
                    throw MigrationError.locked(step, attempt, who, self.schema.command)
                }
                report(
                    "\(step) waits for a lock, try \(attempt) of \(self.patience.attempts); locks are held by \(who)")
            }
            try? await Task.sleep(for: self.patience.pause)
        }
    }

    /// Why a step failed; where the login lacks rights, with what gives them.
    private func failure(_ step: String, _ error: PostgresError) async -> MigrationError {
        guard error.code == .insufficientPrivilege, let login = await MigrationLogin.read(self.schema, self.pool) else {
            return MigrationError(step, error)
        }
        return MigrationError(step, error, deniedTo: login)
    }

    /// Who has locks on the schema's tables, or the one that migrations take.
    private func holders() async -> String {
        let row = try? await self.pool.query(
            Statement(
                """
                SELECT string_agg(format('%s (pid %s, %s, %s, its transaction open for %s s)', usename, pid,
                    coalesce(nullif(application_name, ''), 'unnamed'), state,
                    extract(epoch FROM clock_timestamp() - xact_start)::int8), ', ' ORDER BY xact_start)
                FROM pg_stat_activity a WHERE pid <> pg_backend_pid() AND EXISTS (
                    SELECT FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
                    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE l.pid = a.pid AND l.granted AND l.database = a.datid
                        AND (n.nspname = $1 OR l.locktype = 'advisory'))
                """, self.schema.name)
        ).single()
        let found = row.flatMap { try? $0.get(0, as: String?.self) }.flatMap(\.self)
        return found.map { String($0.prefix(600)) } ?? "sessions that this role may not see, or that have ended"
    }

    /// Roles belong to the whole server, and another database may be making them at this moment. In a transaction of their own,
    /// so that the migrations see them whoever made them.
    private static func making(_ roles: [String]) -> String {
        """
        DO $roles$
        DECLARE role text;
        BEGIN
            FOREACH role IN ARRAY ARRAY['\(roles.joined(separator: "', '"))'] LOOP
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
}
