import Lab
import Logging
import Testing

@testable import PostgresDriver

@Suite("What a session is promised", .timeLimit(.minutes(3)))
struct SessionPromisesTests {
    private func report(_ backend: String = "7", _ values: [String: String] = [:]) -> SessionReport {
        SessionReport(backend: backend, values: ["fsync": "on", "full_page_writes": "on"].merging(values) { $1 })
    }

    private func objection(_ found: SessionReport) -> String? {
        SessionPromises.objection(
            assigned: SessionReport(backend: "7", values: ["synchronous_commit": "on"]), found: found,
            requiresFsync: true)?.description
    }

    @Test("Settings that are in force in the next transaction are kept")
    func kept() {
        #expect(self.objection(self.report("7", ["synchronous_commit": "on"])) == nil)
        #expect(SessionPromises.warning(self.report()) == nil)
    }

    @Test("A setting that is dropped without a word is named, with what is in force instead")
    func dropped() throws {
        let text = try #require(self.objection(self.report("7", ["synchronous_commit": "off"])))
        #expect(text.hasPrefix("unsuitable-server: synchronous_commit was set to on, and off is in force"))
    }

    @Test("Another server process in the next transaction is pooling by transaction")
    func anotherBackend() throws {
        let text = try #require(self.objection(self.report("8", ["synchronous_commit": "on"])))
        #expect(text.contains("pool_mode = session"))
    }

    @Test("fsync = off is refused, and full_page_writes = off is worth a warning")
    func unsafeStorage() throws {
        let found = self.report("7", ["synchronous_commit": "on", "fsync": "off", "full_page_writes": "off"])
        #expect(try #require(self.objection(found)).contains("fsync is off"))
        #expect(try #require(SessionPromises.warning(found)).contains("full_page_writes is off"))
    }
}

@Suite("PgBouncer before the server", .timeLimit(.minutes(3)))
struct PoolerTests {
    /// Connects through PgBouncer, as a node would.
    private func withPooler(
        _ mode: PgBouncer.PoolMode, _ settings: [String] = [], _ body: (PoolSettings) async throws -> Void
    ) async throws {
        let pooler = try await PgBouncer.start(before: try await .shared(), mode: mode, settings: settings)
        var pool = PoolSettings(connectionString: pooler.connectionString())
        pool.size = 2
        pool.sessionSettings = ["synchronous_commit": "remote_write", "search_path": "pg_catalog"]
        pool.acquireTimeout = .seconds(60)
        pool.statementTimeout = .seconds(30)
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(pool))
        } catch {
            outcome = .failure(error)
        }
        await pooler.stop()
        try outcome.get()
    }

    private func setting(_ settings: PoolSettings, times: Int) async throws -> Set<String> {
        let pool = PostgresPool(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        defer { pool.shutDown() }
        var found: Set<String> = []
        for _ in 0..<times {
            let row = try await pool.query(Statement("SELECT current_setting('synchronous_commit')")).single()
            found.insert(try row.get(0, as: String.self))
        }
        return found
    }

    @Test(
        "In session mode every setting holds, with and without the usual cure",
        arguments: [[], ["ignore_startup_parameters=options,extra_float_digits"]])
    func session(_ settings: [String]) async throws {
        try await self.withPooler(.session, settings) { pool in
            #expect(try await self.setting(pool, times: 20) == ["remote_write"])
        }
    }

    @Test(
        "By transaction and by statement, the node is told by name, whether servers are taken in turn or not",
        arguments: [PgBouncer.PoolMode.transaction, .statement],
        [
            [], ["ignore_startup_parameters=options"], ["server_round_robin=1", "min_pool_size=3"],
            ["default_pool_size=1"],
        ])
    func transaction(_ mode: PgBouncer.PoolMode, _ settings: [String]) async throws {
        try await self.withPooler(mode, settings) { pool in
            for _ in 0..<3 {
                let error = await failure { _ = try LibpqConnection.open(pool) }
                #expect(error == SessionPromises.sharedByTransaction)
            }
        }
    }

    @Test("In session mode a pooler with no server connection to spare serves all the same")
    func exhausted() async throws {
        try await self.withPooler(.session, ["default_pool_size=1"]) { settings in
            var alone = settings
            alone.size = 1
            #expect(try await self.setting(alone, times: 1) == ["remote_write"])
        }
    }
}
