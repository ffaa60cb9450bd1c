import ControlStore
import LabDatabase
import LabSupport
import Logging
import PostgresDriver
import Testing

@Suite("The schema of the cluster", .timeLimit(.minutes(2)))
struct SchemaTests {
    private func plan(_ connection: String, roles: ControlRoles? = nil) async throws -> ControlMigrationPlan {
        try await ControlMigrations.plan(adminConnectionString: connection, roles: roles, logger: .quiet)
    }

    @Test("A dry run says what is missing; a second run of migrations has nothing to do")
    func planning() async throws {
        try await PrivateDatabase.with("control") { database in
            let plan = try await self.plan(database.connectionString())
            #expect(plan.version == 0)
            #expect(
                plan.description.contains("would apply migration 1 (control)\nwould make or use the role relay_control")
            )
            let pool = database.pool(ControlStore.poolSettings)
            defer { pool.shutDown() }
            #expect(await failure { try await ControlStore(pool: pool).checkSchema() } == .schemaMissing)
            #expect(await failure { _ = try await ControlStore(pool: pool).cluster() } == .schemaMissing)

            try await database.makeControl()
            try await database.makeControl()
            let done = try await self.plan(database.connectionString())
            #expect(done.description.hasSuffix("version \(ControlMigrations.latestVersion)\nnothing to do"))
            #expect(try await ControlStore(pool: pool).checkSchema() == nil)
        }
    }

    @Test("A newer schema that only adds is worked with, and told; one for newer programs only is refused")
    func newer() async throws {
        try await ControlFixture.run { control in
            try await control.superuser.script(
                "INSERT INTO control.schema_version (version, name) VALUES (9999, 'later')")
            #expect(try await control.store.checkSchema() == 9999)
            await #expect(throws: MigrationError.self) {
                try await ControlMigrations.migrate(
                    adminConnectionString: control.database.connectionString(), logger: .quiet)
            }
            try await control.superuser.script(
                "UPDATE control.schema_version SET least_program = 9998 WHERE version = 9999")
            #expect(await failure { try await control.store.checkSchema() } == .schemaNewer)
        }
    }

    @Test(
        "The role can have another name, which stays; another one is refused, and a login of the usual name reads nothing"
    )
    func names() async throws {
        try await PrivateDatabase.with("control") { database in
            let connection = database.connectionString()
            try await database.makeControl(roles: try #require(ControlRoles(prefix: "staging")))
            #expect(try await self.plan(connection).roles.control == "staging_control")
            await #expect {
                _ = try await self.plan(connection, roles: .usual)
            } throws: {
                ($0 as? MigrationError)?.code == .unsuitable && "\($0)".contains("staging_control")
            }
            let pool = database.pool()
            defer { pool.shutDown() }
            let granted = try await pool.query(
                Statement(
                    """
                    SELECT has_table_privilege('staging_control', 'control.cluster', 'UPDATE'),
                        (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
                            JOIN pg_roles r ON r.oid = a.grantee WHERE n.nspname = 'control' AND r.rolname = 'relay_control')
                    """)
            ).single()
            #expect(try granted.get(0, as: Bool.self))
            #expect(try granted.get(1, as: Int64.self) == 0)
        }
    }

    @Test(
        "A name that would have to be quoted is none", arguments: ["", "Relay", "1relay", "re-lay", "relay_control_x"])
    func unfitNames(_ prefix: String) { #expect(ControlRoles(prefix: prefix) == nil) }

    @Test("Each table and column says what it is")
    func comments() async throws {
        try await ControlFixture.run(isCreated: false) { control in
            let rows = try await control.superuser.query(
                Statement(
                    """
                    SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c
                    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'control'
                    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    WHERE c.relkind IN ('r', 'p', 'v') AND (obj_description(c.oid, 'pg_class') IS NULL
                        OR a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL)
                    """)
            ).rows
            #expect(try rows.map { try $0.get(0, as: String.self) } == [])
        }
    }
}
