public import Logging
public import PostgresDriver

/// Brings the schema `control` of a database up to date.
///
/// It makes the group role `relay_control`, or another one by name, which may use all of the schema; nobody else may use
/// any of it. The operator makes a login for controllers and grants it the role.
public enum ControlMigrations {
    /// The version that this program needs.
    public static var latestVersion: Int32 { Self.schema.latestVersion }

    /// The schema. Its rights are granted anew with each migration, so that what is added is never open to anybody else.
    static let schema = MigratedSchema(
        name: "control", subject: "the cluster", command: "relay-controller migrate", lock: 7_238_947_223,
        migrations: [.control],
        epilogue: """
            REVOKE ALL ON SCHEMA control FROM PUBLIC;
            REVOKE ALL ON ALL TABLES IN SCHEMA control FROM PUBLIC;
            REVOKE ALL ON ALL FUNCTIONS IN SCHEMA control FROM PUBLIC;
            GRANT USAGE ON SCHEMA control TO relay_control;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA control TO relay_control;
            GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA control TO relay_control;
            -- Nobody rewrites what was done.
            REVOKE INSERT, UPDATE, DELETE ON control.schema_version FROM relay_control;
            REVOKE UPDATE, DELETE ON control.audit FROM relay_control;
            """)

    /// Looks at a database, and changes nothing.
    ///
    /// - Parameters:
    ///   - adminConnectionString: of a role that may create schemas and roles.
    ///   - roles: how the role is called; an existing schema keeps its name, and another one is refused.
    public static func plan(
        adminConnectionString: String, roles: ControlRoles? = nil, logger: Logger
    ) async throws(MigrationError) -> ControlMigrationPlan {
        let pool = SchemaMigrator.pool(adminConnectionString, for: Self.schema, logger: logger)
        defer { pool.shutDown() }
        return try await Self.plan(pool, roles)
    }

    /// Applies, each in a transaction of its own and under a lock, the migrations that are missing. Running it again, or
    /// twice at once, does no harm.
    ///
    /// - Parameters:
    ///   - adminConnectionString: of a role that may create schemas and roles.
    ///   - roles: how the role is called; an existing schema keeps its name, and another one is refused.
    ///   - patience: with whoever holds a lock that a step needs.
    ///   - report: is given a line for people about each step that waits.
    public static func migrate(
        adminConnectionString: String, roles: ControlRoles? = nil, patience: MigrationPatience = MigrationPatience(),
        logger: Logger, report: (String) -> Void = { _ in }
    ) async throws(MigrationError) {
        let pool = SchemaMigrator.pool(adminConnectionString, for: Self.schema, logger: logger)
        defer { pool.shutDown() }
        let names = try await Self.plan(pool, roles).roles
        try await SchemaMigrator(Self.schema, pool, patience: patience)
            .migrate(roles: [names.control], renamed: { names.renamed(in: $0) }, report)
    }

    private static func plan(
        _ pool: PostgresPool, _ roles: ControlRoles?
    ) async throws(MigrationError) -> ControlMigrationPlan {
        let migrator = SchemaMigrator(Self.schema, pool)
        let state = try await migrator.look()
        let role = try await migrator.looking { () async throws(PostgresError) -> String? in
            let found = try await pool.query(
                Statement(
                    """
                    SELECT pg_get_userbyid(a.grantee)::text FROM pg_namespace n, aclexplode(n.nspacl) a
                    WHERE n.nspname = 'control' AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner)
                    ORDER BY 1 LIMIT 1
                    """))
            return try found.rows.first?.get(0)
        }
        return try ControlMigrationPlan(state, present: role, roles: roles)
    }
}

/// What a migration finds in a database, and would do.
public struct ControlMigrationPlan: Hashable, Sendable, CustomStringConvertible {
    /// The database.
    public let database: String
    /// The version of its schema; 0 where there is none.
    public let version: Int32
    /// The steps that are missing, such as `1 (control)`.
    public let missing: [String]
    /// How the role is called, or will be.
    public let roles: ControlRoles

    /// Refuses what this program cannot work with, and another name of the role than an existing schema has.
    init(_ state: SchemaState, present: String?, roles: ControlRoles?) throws(MigrationError) {
        try state.check(for: ControlMigrations.schema)
        self.database = state.database
        self.version = state.version
        self.missing = state.missing(of: ControlMigrations.schema).map(\.title)
        self.roles = roles ?? present.flatMap { ControlRoles(control: $0) } ?? .usual
        guard present == nil || present == self.roles.control else {
            throw MigrationError(
                .unsuitable,
                """
                the controllers' role of database \(self.database) is \(present ?? ""), and its name is fixed from the first \
                migration on; it cannot become \(self.roles.control)
                """)
        }
    }

    public var description: String {
        var lines = ["database \(self.database): the schema is at version \(self.version)"]
        lines += self.missing.map { "would apply migration \($0)" }
        if !self.missing.isEmpty { lines.append("would make or use the role \(self.roles.control)") }
        return (lines.count > 1 ? lines : lines + ["nothing to do"]).joined(separator: "\n")
    }
}

/// The name of the group role that migrations make and grant.
public struct ControlRoles: Hashable, Sendable {
    private static let ending = "_control"

    /// What the name begins with.
    public let prefix: String

    /// A name with another beginning; `nil` for one that `RoleNames` refuses.
    public init?(prefix: String) {
        guard RoleNames.isPrefix(prefix, endings: [Self.ending]) else { return nil }
        self.prefix = prefix
    }

    /// That of which the role has this name.
    init?(control: String) {
        guard control.hasSuffix(Self.ending) else { return nil }
        self.init(prefix: String(control.dropLast(Self.ending.count)))
    }

    private init(unchecked prefix: String) { self.prefix = prefix }

    /// `relay_control`, as migrations are written.
    public static let usual = ControlRoles(unchecked: "relay")

    /// Controllers.
    public var control: String { self.prefix + Self.ending }

    /// A statement with this name in place of the usual one.
    func renamed(in sql: String) -> String { sql.replacing(Self.usual.control, with: self.control) }
}
