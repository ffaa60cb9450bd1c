import ClusterModel
import LabDatabase
import LabSupport
import MailModel
import PostgresDriver
import TestLiterals
import Testing

@testable import QueueStore

/// What people see who look into the database by themselves.
@Suite("Readers of the database", .timeLimit(.minutes(3)))
struct ReaderTests {
    @Test("Every table, view and column says what it is")
    func comments() async throws {
        try await QueueFixture.run { queue in
            let rows = try await queue.admin.query(
                Statement(
                    """
                    SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c
                    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'relay'
                    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                        AND c.relkind IN ('r', 'p')
                    WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
                        AND (col_description(c.oid, coalesce(a.attnum, 0)) IS NULL AND a.attnum IS NOT NULL
                            OR obj_description(c.oid, 'pg_class') IS NULL)
                    """)
            ).rows
            #expect(try rows.map { try $0.get(0, as: String.self) } == [])
        }
    }

    @Test("The overview has every entry, and each in the state that the list tells")
    func overview() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message(to: [bravo, "charlie.test"]))
            let waiting = queue.message(to: ["delta.test"])
            try await queue.writer.enqueue(waiting)
            _ = try await queue.admin.script(
                """
                UPDATE relay.ready SET next_attempt_at = now() + interval '10 minutes', last_reason = 'tlsa-invalid'
                WHERE domain = 'delta.test'
                """)
            let entry = try await queue.claimOne()
            _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
            let rows = try await queue.admin.query(
                Statement(
                    "SELECT domain, state, queue_id, sender, recipients[1], last_reason FROM relay.queue_overview ORDER BY domain"
                )
            ).rows
            #expect(try rows.map { try $0.get(1, as: String.self) } == ["active", "ready", "deferred"])
            let last = try #require(Array(rows).last)
            #expect(try last.get(2, as: String.self) == "\(waiting.id)")
            #expect(try last.get(3, as: String.self) == "alice@alpha.test")
            #expect(try last.get(4, as: String.self) == "bob@delta.test")
            #expect(try last.get(5, as: String?.self) == "tlsa-invalid")
        }
    }

    @Test("Recent attempts are those of the last day, the latest first, without receptions")
    func attempts() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
            try await queue.store.recordOutcomes([try queue.delivered(entry)]).forEach { try $0.get() }
            let rows = try await queue.admin.query(Statement("SELECT kind, queue_id FROM relay.recent_attempts")).rows
            #expect(try rows.map { try $0.get(0, as: String.self) } == ["SEND"])
            #expect(try rows.map { try $0.get(1, as: String.self) } == ["\(entry.key.message)"])
        }
    }

    @Test("A viewer reads the queue and its views, no content, and changes nothing")
    func viewer() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            func asViewer(_ statement: String) async -> String? {
                do throws(PostgresError) {
                    try await queue.admin.script("SET LOCAL ROLE relay_viewer; \(statement)")
                    return nil
                } catch {
                    return error.sqlState
                }
            }
            for allowed in [
                "SELECT * FROM relay.queue_overview", "SELECT * FROM relay.recent_attempts",
                "SELECT * FROM relay.trace",
                "SELECT * FROM relay.ready", "SELECT sender, attributes FROM relay.message",
                "SELECT * FROM relay.administration",
            ] { #expect(await asViewer(allowed) == nil, "\(allowed)") }
            for refused in [
                "SELECT body FROM relay.message", "SELECT * FROM relay.message",
                "SELECT * FROM relay.body_chunk",
                "DELETE FROM relay.ready", "UPDATE relay.shard_lease SET epoch = 0",
                "SELECT relay.begin_administration(gen_random_uuid(), 'drop', 'x', 'x', 'x')",
            ] { #expect(await asViewer(refused) == "42501", "\(refused)") }
        }
    }

    @Test("Roles can have other names, which stay; others are refused", .timeLimit(.minutes(2)))
    func names() async throws {
        try await PrivateDatabase.with("roles") { database in
            let connection = database.connectionString()
            let roles = try #require(QueueRoles(prefix: "staging"))
            try await QueueMigrations.migrate(
                adminConnectionString: connection, shardCount: 4, roles: roles, logger: .quiet)
            // Without the names it finds them.
            try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            await #expect {
                try await QueueMigrations.migrate(
                    adminConnectionString: connection, roles: QueueRoles(prefix: "production"), logger: .quiet)
            } throws: { error in
                "\(error)".contains("staging_queue") && (error as? MigrationError)?.code == .unsuitable
            }
            let pool = database.pool()
            defer { pool.shutDown() }
            let row = try await pool.query(
                Statement(
                    """
                    SELECT has_schema_privilege('staging_queue', 'relay', 'USAGE'),
                        has_table_privilege('staging_viewer', 'relay.queue_overview', 'SELECT'),
                        (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
                            JOIN pg_roles r ON r.oid = a.grantee WHERE n.nspname = 'relay' AND r.rolname LIKE 'relay\\_%')
                    """)
            ).single()
            #expect(try row.get(0, as: Bool.self) && row.get(1, as: Bool.self))
            #expect(try row.get(2, as: Int64.self) == 0)
        }
    }

    @Test(
        "A name that would have to be quoted is none",
        arguments: [
            "", "Relay", "1relay", "re-lay", "re lay", "r'", "pg_relay", "relay_admin",
            String(repeating: "a", count: 41),
        ])
    func unfitNames(_ prefix: String) { #expect(QueueRoles(prefix: prefix) == nil) }
}
