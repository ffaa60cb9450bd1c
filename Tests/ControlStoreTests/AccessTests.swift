import ControlStore
import LabDatabase
import LabSupport
import Logging
import PostgresDriver
import QueueStore
import Testing

/// What is looked for in the catalogue, so that a table or a function that is added cannot be forgotten.
@Suite("Who may read the cluster", .timeLimit(.minutes(2)))
struct AccessTests {
    /// A database with a queue and a cluster, as both have them in production.
    private func withBoth(_ body: (ControlFixture) async throws -> Void) async throws {
        try await ControlFixture.run { control in
            try await control.database.makeQueue(shards: 4)
            try await body(control)
        }
    }

    /// What a login may not do is refused with SQLSTATE 42501, whether or not there is anything to read.
    private func refusals(
        of statements: [String], as role: String, _ control: ControlFixture
    ) async -> [String: String?] {
        var states: [String: String?] = [:]
        for statement in statements {
            do throws(PostgresError) {
                try await control.superuser.script("SET LOCAL ROLE \(role); \(statement)")
                states[statement] = .some(nil)
            } catch {
                states[statement] = error.sqlState
            }
        }
        return states
    }

    private func texts(_ sql: String, _ control: ControlFixture) async throws -> [String] {
        try await control.superuser.query(Statement(sql)).rows.map { try $0.get(0, as: String.self) }
    }

    /// A call of each function, with NULL for each argument: rights are checked first.
    private func calls(_ schema: String, _ control: ControlFixture) async throws -> [String] {
        try await self.texts(
            """
            SELECT format('SELECT %I.%I(%s)', n.nspname, p.proname, (SELECT string_agg(format('NULL::%s', a.type::regtype), ', '
                ORDER BY a.place) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place)))
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = '\(schema)' AND p.prorettype <> 'trigger'::regtype
            ORDER BY 1
            """, control)
    }

    private func reads(_ schema: String, _ control: ControlFixture) async throws -> [String] {
        try await self.texts(
            """
            SELECT format('SELECT FROM %I.%I', n.nspname, c.relname) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = '\(schema)' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1
            """, control)
    }

    @Test(
        "control 10, 17: logins of nodes and operators can read no table of the cluster and call none of its functions",
        arguments: [QueueRoles.usual.queue, QueueRoles.usual.admin, QueueRoles.usual.viewer])
    func strangers(_ role: String) async throws {
        try await self.withBoth { control in
            let reads = try await self.reads("control", control)
            let calls = try await self.calls("control", control)
            #expect(reads.count >= 12 && reads.contains("SELECT FROM control.authority"))
            #expect(calls.count >= 10 && calls.contains("SELECT control.fence(NULL::bigint)"))
            for (statement, state) in await self.refusals(of: reads + calls, as: role, control) {
                #expect(state == "42501", "\(role): \(statement)")
            }
            // Nor would it, if somebody granted the schema alone by mistake.
            try await control.superuser.script("GRANT USAGE ON SCHEMA control TO \(role)")
            for (statement, state) in await self.refusals(of: reads + calls, as: role, control) {
                #expect(state == "42501", "\(role) with the schema: \(statement)")
            }
        }
    }

    @Test(
        "control 10: a node's and an operator's own login read nothing of the cluster",
        arguments: [QueueLogin.node, QueueLogin.person])
    func logins(_ login: String) async throws {
        try await self.withBoth { control in
            let pool = control.database.pool(as: login)
            defer { pool.shutDown() }
            for table in try await control.tables() {
                let error = await #expect(throws: PostgresError.self) {
                    try await pool.query(Statement("SELECT count(*) FROM control.\(table)"))
                }
                #expect(error?.code == .insufficientPrivilege, "\(table)")
            }
            #expect(await failure { _ = try await ControlStore(pool: pool).cluster() } == .denied)
        }
    }

    @Test("A controller's login can read no mail, and nothing else of the queue")
    func controller() async throws {
        try await self.withBoth { control in
            let reads = try await self.reads("relay", control)
            let calls = try await self.calls("relay", control)
            #expect(reads.contains("SELECT FROM relay.message") && calls.count >= 10)
            for (statement, state) in await self.refusals(of: reads + calls, as: ControlRoles.usual.control, control) {
                #expect(state == "42501", "\(statement)")
            }
            let pool = control.database.pool(as: ControlDatabase.login)
            defer { pool.shutDown() }
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query(Statement("SELECT body FROM relay.message"))
            }
            #expect(error?.code == .insufficientPrivilege)
        }
    }

    @Test("A controller owns nothing, makes nothing, and rewrites neither the audit nor the versions of the schema")
    func rights() async throws {
        try await self.withBoth { control in
            let refused = [
                "UPDATE control.audit SET reason = ''", "DELETE FROM control.audit", "TRUNCATE control.audit",
                "DELETE FROM control.schema_version",
                "INSERT INTO control.schema_version (version, name) VALUES (9, '')",
                "CREATE TABLE control.more ()", "DROP TABLE control.served",
                "ALTER TABLE control.audit DISABLE TRIGGER ALL",
            ]
            for (statement, state) in await self.refusals(of: refused, as: ControlRoles.usual.control, control) {
                #expect(state == "42501", "\(statement)")
            }
        }
    }

    @Test("Functions run with the rights of their caller")
    func invoker() async throws {
        try await self.withBoth { control in
            let definers = try await self.texts(
                """
                SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = 'control' AND (p.prosecdef OR p.proconfig IS NULL)
                """, control)
            #expect(definers == [])
        }
    }
}
