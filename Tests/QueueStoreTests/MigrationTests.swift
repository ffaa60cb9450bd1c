import LabDatabase
import LabSupport
import Logging
import PostgresDriver
import Synchronization
import Testing

@testable import QueueStore

@Suite("Migrating", .timeLimit(.minutes(3)))
struct MigrationTests {
    /// An empty database, and somebody who meddles with it.
    private func withDatabase(
        _ options: String = "", _ body: (String, PostgresPool) async throws -> Void
    ) async throws {
        try await PrivateDatabase.with("migration", options: options) { database in
            let meddler = database.pool()
            defer { meddler.shutDown() }
            try await body(database.connectionString(), meddler)
        }
    }

    private func pool(_ connection: String) -> PostgresPool {
        var settings = PoolSettings(connectionString: connection)
        settings.size = 1
        return PostgresPool(settings, logger: .quiet)
    }

    private func failure(_ body: () async throws(MigrationError) -> Void) async -> MigrationError? {
        do throws(MigrationError) {
            try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test("A dry run says what is missing, and changes nothing")
    func dryRun() async throws {
        try await self.withDatabase { connection, meddler in
            let plan = try await QueueMigrations.plan(adminConnectionString: connection, logger: .quiet)
            #expect(plan.version == 0)
            #expect(plan.missing.count == Int(QueueMigrations.latestVersion))
            #expect(plan.description.contains("would apply migration 1 (queue)\n"))
            #expect(plan.description.hasSuffix("would make 64 shards"))
            let made = try await meddler.query(Statement("SELECT to_regnamespace('relay') IS NOT NULL")).single()
            #expect(try made.get(0, as: Bool.self) == false)

            try await QueueMigrations.migrate(adminConnectionString: connection, shardCount: 8, logger: .quiet)
            let done = try await QueueMigrations.plan(adminConnectionString: connection, logger: .quiet)
            #expect(
                done.description.hasSuffix("the schema is at version \(QueueMigrations.latestVersion)\nnothing to do"))
        }
    }

    @Test("Another encoding than UTF8 is refused before anything is made")
    func encoding() async throws {
        try await self.withDatabase("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0") { connection, meddler in
            let error = await self.failure { () throws(MigrationError) in
                try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            }
            #expect(error?.code == .unsuitable)
            #expect(error?.description.contains("has the encoding LATIN1, and the queue needs UTF8") == true)
            let made = try await meddler.query(Statement("SELECT to_regnamespace('relay') IS NOT NULL")).single()
            #expect(try made.get(0, as: Bool.self) == false)
        }
    }

    @Test("A schema of a newer program that only adds to it is worked with, and told; migration refuses it")
    func expanded() async throws {
        try await self.withDatabase { connection, meddler in
            try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            #expect(try await QueueStore(pool: meddler, node: "n").newerSchema == nil)
            try await meddler.script("INSERT INTO relay.schema_version (version, name) VALUES (9999, 'later')")
            #expect(try await QueueStore(pool: meddler, node: "n").newerSchema == 9999)
            _ = try await QueueAdministration(pool: meddler)
            let error = await self.failure { () throws(MigrationError) in
                try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            }
            #expect(error?.code == .unsuitable)
        }
    }

    @Test(
        "A schema for newer programs only is refused by migration, node and relayctl, with both versions"
    )
    func newer() async throws {
        try await self.withDatabase { connection, meddler in
            try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            try await meddler.script(
                "INSERT INTO relay.schema_version (version, name, least_program) VALUES (9999, 'later', 9998)")
            let error = await self.failure { () throws(MigrationError) in
                try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            }
            #expect(error?.code == .unsuitable)
            let versions = "9999, and this program makes version \(QueueMigrations.latestVersion)"
            #expect(error?.description.contains(versions) == true)
            let store = await #expect(throws: QueueStoreError.self) {
                _ = try await QueueStore(pool: meddler, node: "n")
            }
            #expect(store?.code == .newerSchema)
            let needed = "9999, and this program needs version \(QueueMigrations.latestVersion)"
            #expect(store?.message.contains(needed) == true)
            let console = await #expect(throws: QueueStoreError.self) {
                _ = try await QueueAdministration(pool: meddler)
            }
            #expect(console?.code == .newerSchema)
        }
    }

    @Test("An existing queue keeps its shards: another number is refused, the same one and none are not")
    func shards() async throws {
        try await self.withDatabase { connection, _ in
            try await QueueMigrations.migrate(adminConnectionString: connection, shardCount: 8, logger: .quiet)
            for count in [8, nil] {
                try await QueueMigrations.migrate(adminConnectionString: connection, shardCount: count, logger: .quiet)
            }
            let error = await self.failure { () throws(MigrationError) in
                try await QueueMigrations.migrate(adminConnectionString: connection, shardCount: 16, logger: .quiet)
            }
            #expect(error?.description.hasPrefix("--shards 16: the queue of database") == true)
            #expect(error?.description.contains("has 8 shards") == true)
        }
    }

    @Test("A step that finds a lock taken lets others pass, tries again, and names the step and who holds it")
    func locks() async throws {
        try await self.withDatabase { connection, meddler in
            try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            // As if the last migration were still to come, while somebody reads one of the tables.
            let latest = QueueMigrations.latestVersion
            try await meddler.script("DELETE FROM relay.schema_version WHERE version = \(latest)")
            let holder = self.pool(connection)
            defer { holder.shutDown() }
            async let held: [QueryResult] = holder.script(
                "BEGIN; LOCK TABLE relay.schema_version IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600); COMMIT",
                timeout: .seconds(600))
            var patience = MigrationPatience()
            patience.lockMilliseconds = 50
            patience.attempts = 3
            patience.pause = .milliseconds(10)
            let isHeld =
                "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'relay.schema_version'::regclass)"
            while try await !meddler.query(Statement(isHeld)).single().get(0, as: Bool.self) {}
            let waits = Mutex<[String]>([])
            // Looking reads that table, too, so the step is run by itself.
            let error = await self.failure { () throws(MigrationError) in
                try await SchemaMigrator(QueueMigrations.schema, meddler, patience: patience).run(
                    "migration \(latest)", "SELECT count(*) FROM relay.schema_version"
                ) { line in waits.withLock { $0.append(line) } }
            }
            #expect(error?.code == .locked)
            let told = try #require(error?.description)
            #expect(
                told.hasPrefix("migration \(latest): no lock in 3 tries; locks are held by postgres (pid "), "\(told)")
            #expect(waits.withLock { $0.count } == 2)
            try await meddler.script(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
            )
            _ = try? await held
        }
    }

    @Test("What the database refuses is told by the step, without the statements")
    func refused() async throws {
        try await self.withDatabase { connection, meddler in
            try await meddler.script("CREATE SCHEMA relay; CREATE TABLE relay.shard_lease (other int)")
            let error = await self.failure { () throws(MigrationError) in
                try await QueueMigrations.migrate(adminConnectionString: connection, logger: .quiet)
            }
            let told = try #require(error?.description)
            #expect(told.hasPrefix("migration 1 (queue): "), "\(told)")
            #expect(told.contains("relation \"shard_lease\" already exists"))
            #expect(told.utf8.count < 600)
            #expect(!told.contains("CREATE TABLE"))
        }
    }

    @Test("A login that lacks rights is told the statements that give them, and migrates after them")
    func deniedLogin() async throws {
        try await self.withDatabase { connection, meddler in
            let names = ["migrator", "stranger"].map { "\($0)_\(UInt32.random(in: .min ... .max))" }
            for name in names { try await meddler.script("CREATE ROLE \(name) LOGIN") }
            func migrate(_ user: String) async -> MigrationError? {
                await self.failure { () throws(MigrationError) in
                    try await QueueMigrations.migrate(
                        adminConnectionString: connection.replacing(/user=\w+/, with: "user=\(user)"), logger: .quiet)
                }
            }
            let error = try #require(await migrate(names[0]))
            #expect(error.code == .denied)
            let statements = error.description.matches(of: #/`([A-Z][^`]+)`/#).map { String($0.output.1) }
            #expect(statements.count == 2, "\(error)")
            for statement in statements { try await meddler.script(statement) }
            #expect(await migrate(names[0]) == nil)

            let other = try #require(await migrate(names[1]))
            #expect(other.code == .denied)
            #expect(other.description.hasSuffix("run relayd migrate as \(names[0])"), "\(other)")
            for name in names { try await meddler.script("DROP OWNED BY \(name) CASCADE; DROP ROLE \(name)") }
        }
    }
}
