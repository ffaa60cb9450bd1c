import LabDatabase
import Logging
import Synchronization
import Testing

@testable import PostgresDriver

@Suite("What a session is promised", .timeLimit(.minutes(3)))
struct SessionPromisesTests {
    private func report(_ backend: String = "7", _ values: [String: String] = [:]) -> SessionReport {
        SessionReport(
            backend: backend, server: "1", values: ["fsync": "on", "full_page_writes": "on"].merging(values) { $1 })
    }

    private func objection(_ found: SessionReport) -> String? {
        SessionPromises.objection(
            assigned: SessionReport(backend: "7", server: "1", values: ["synchronous_commit": "on"]), found: found,
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

@Suite("What shows how a pooler hands out server connections")
struct PoolerEvidenceTests {
    private func report(_ backend: String, _ server: String = "1") -> SessionReport {
        SessionReport(backend: backend, server: server, values: [:])
    }

    private func verdict(
        notifier: SessionReport, arrivedIdle: Bool = false, later: SessionReport? = nil, arrivedLater: Bool = false
    ) -> PoolerEvidence.Verdict {
        var evidence = PoolerEvidence(listener: self.report("7"), notifier: notifier)
        evidence.arrivedIdle = arrivedIdle
        evidence.later = later
        evidence.arrivedLater = arrivedLater
        return evidence.verdict
    }

    @Test("Nothing is decided before a notification came or is found missing")
    func open() {
        #expect(self.verdict(notifier: self.report("8")) == .open)
    }

    @Test("A notification that reaches an idle session is proof that its server connection is kept")
    func session() {
        #expect(self.verdict(notifier: self.report("8"), arrivedIdle: true) == .session)
    }

    @Test("One that is missing after the next transaction went elsewhere")
    func missing() {
        #expect(self.verdict(notifier: self.report("8"), later: self.report("7")) == .transaction)
    }

    @Test("One that comes with the next transaction may have waited for whoever had the server connection next")
    func late() {
        #expect(self.verdict(notifier: self.report("8"), later: self.report("7"), arrivedLater: true) == .open)
    }

    @Test("One server process for two sessions, or two for one session, is pooling by transaction")
    func processes() {
        #expect(self.verdict(notifier: self.report("7")) == .transaction)
        #expect(self.verdict(notifier: self.report("8"), later: self.report("9"), arrivedLater: true) == .transaction)
    }

    @Test(
        "Two servers say nothing about each other: numbers of processes are equal by chance, and notifications get lost"
    )
    func failover() {
        #expect(self.verdict(notifier: self.report("7", "2")) == .open)
        #expect(self.verdict(notifier: self.report("8", "2"), later: self.report("7")) == .open)
        #expect(self.verdict(notifier: self.report("8"), later: self.report("9", "2")) == .open)
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
            let found = try await self.setting(pool, times: 20)
            #expect(found == ["remote_write"])
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

    @Test("Without a server connection to spare nothing is known, and the connection is not used")
    func exhausted() async throws {
        try await self.withPooler(.session, ["default_pool_size=1"]) { settings in
            let error = await failure { _ = try LibpqConnection.open(settings) }
            #expect(error?.code == .cannotConnect)
            #expect(error?.message.contains("its pool must have one server connection to spare") == true)
        }
    }

    @Test("Others that use the pooler at the same time change no verdict", arguments: [3, 20])
    func busy(_ poolSize: Int) async throws {
        try await self.withPooler(.transaction, ["default_pool_size=\(poolSize)", "server_round_robin=1"]) { settings in
            try await self.amongOthers(settings) {
                for _ in 0..<10 {
                    let error = try await self.verdict(settings)
                    #expect(error == SessionPromises.sharedByTransaction)
                }
            }
        }
        try await self.withPooler(.session, ["default_pool_size=\(poolSize + 6)"]) { settings in
            try await self.amongOthers(settings) {
                for _ in 0..<10 {
                    let error = try await self.verdict(settings)
                    #expect(error == nil)
                }
            }
        }
    }

    /// Connects, again where nothing could be found out.
    private func verdict(_ settings: PoolSettings) async throws -> PostgresError? {
        while true {
            let error = await failure { _ = try LibpqConnection.open(settings) }
            guard error?.code == .cannotConnect else { return error }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private final class End: Sendable { let hasCome = Atomic(false) }

    /// Does something while four other clients take and give back server connections.
    private func amongOthers(_ settings: PoolSettings, _ body: () async throws -> Void) async throws {
        let end = End()
        let outcome: Result<Void, any Error> = await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    await withCheckedContinuation { ended in
                        startThread("other client") {
                            let connection = try? LibpqConnection(settings)
                            while !end.hasCome.load(ordering: .relaxed), let connection {
                                _ = connection.run(.script("SELECT pg_sleep(0.002 * random())"), within: .seconds(30))
                            }
                            ended.resume()
                        }
                    }
                }
            }
            defer { end.hasCome.store(true, ordering: .relaxed) }
            do {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}
