import Foundation
import LabDatabase
import PostgresDriver
import Testing

@Suite("Deadlines and failures", .timeLimit(.minutes(3)))
struct FailureTests {
    @Test("A pool with no free connection gives an error at the deadline, not a hang (hostile-input 35)")
    func acquireDeadline() async throws {
        try await withPool {
            // Long enough for the first connection to be made on a busy machine, which counts as acquiring too.
            $0.acquireTimeout = .seconds(4)
        } _: { pool in
            _ = try await pool.backend()
            async let long = pool.query(Statement("SELECT pg_sleep(7)"))
            try await pool.until { $0.busy == 1 }
            let error = await failure { _ = try await pool.backend() }
            #expect(error?.code == .acquireTimeout)
            _ = try await long
            #expect(pool.statistics.errors[.acquireTimeout] == 1)
        }
    }

    @Test("Waiters are bounded: the one too many is refused at once")
    func boundedWaiters() async throws {
        try await withPool {
            $0.maximumWaiters = 1
            // Longer than the query takes: the waiter gets its turn.
            $0.acquireTimeout = .seconds(30)
        } _: { pool in
            _ = try await pool.backend()
            async let long = pool.query(Statement("SELECT pg_sleep(8)"))
            try await pool.until { $0.busy == 1 }
            async let waiter = pool.backend()
            try await pool.until { $0.waiting == 1 }
            #expect(await failure { _ = try await pool.backend() }?.code == .tooManyWaiters)
            _ = try await (long, waiter)
        }
    }

    @Test("A statement past its deadline is cancelled and rolled back, and the pool serves on")
    func statementDeadline() async throws {
        try await withPool { pool in
            let error = await failure {
                try await pool.query(Statement("SELECT pg_sleep(30)"), timeout: .milliseconds(200))
            }
            // A server on a busy machine may not get to say so before the connection is given up.
            #expect(error?.code == .statementTimeout || error?.code == .ambiguousCommit)
            _ = try await pool.backend()
        }
    }

    @Test("No server: callers hear why, within the deadline")
    func noServer() async throws {
        let pool = makePool(try await .shared()) {
            $0.connectionString = "host=/nonexistent dbname=x user=y"
            $0.acquireTimeout = .milliseconds(300)
        }
        defer { pool.shutDown() }
        #expect(await failure { _ = try await pool.backend() }?.code == .cannotConnect)
    }

    @Test("The first host of the list is dead: the next one serves")
    func multipleHosts() async throws {
        let server = try await PrivatePostgres.shared()
        let pool = makePool(server) {
            $0.connectionString =
                "host=/nonexistent,\(server.directory.path) port=5432,5432 dbname=postgres user=postgres "
                + "target_session_attrs=read-write"
        }
        defer { pool.shutDown() }
        _ = try await pool.backend()
    }

    @Test("A connection that breaks while free is replaced, and no caller notices")
    func idleBreak() async throws {
        try await withPool(size: 2) { pool in
            try await pool.until { $0.idle == 2 }
            let victim = try await pool.backend()
            let other = makePool(try await .shared())
            defer { other.shutDown() }
            try await other.query(Statement("SELECT pg_terminate_backend($1)", victim))
            // The kernel tells both sides of the end of a session at about the same time.
            let gone = Statement("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", victim)
            while try await other.query(gone).single().get(0, as: Int64.self) > 0 {}
            try await Task.sleep(for: .milliseconds(100))
            for _ in 0..<20 {
                let backend = try await pool.backend()
                #expect(backend != victim)
            }
        }
    }

    @Test("The server's end dies after the Sync was sent: the commit is ambiguous (hostile-input 31)")
    func ambiguous() async throws {
        try await withPool { pool in
            let victim = try await pool.backend()
            async let outcome = failure { try await pool.query(Statement("SELECT pg_sleep(30)")) }
            try await pool.until { $0.busy == 1 }
            let other = makePool(try await .shared())
            defer { other.shutDown() }
            while await self.activity(of: victim, on: other) != "active" { try await Task.sleep(for: .milliseconds(5)) }
            try await other.query(Statement("SELECT pg_terminate_backend($1)", victim))
            #expect(await outcome?.code == .ambiguousCommit)
        }
    }

    private func activity(of backend: Int32, on pool: PostgresPool) async -> String? {
        let statement = Statement(
            "SELECT state FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%pg_sleep%'", backend)
        return try? await pool.query(statement).single().get(0, as: String.self)
    }

    @Test("The server stops at once and starts again: the pool recovers by itself (hostile-input 30)")
    func restart() async throws {
        try await PrivatePostgres.withServer { server in
            let pool = makePool(server, size: 2) { $0.acquireTimeout = .seconds(20) }
            defer { pool.shutDown() }
            _ = try await pool.backend()
            await server.stopImmediately()
            async let waiting = pool.backend()
            try await server.restart()
            _ = try await waiting
        }
    }

    @Test("A pool that is shut down refuses work")
    func shutDown() async throws {
        let pool = makePool(try await .shared())
        _ = try await pool.backend()
        pool.shutDown()
        #expect(await failure { _ = try await pool.backend() }?.code == .shutDown)
    }
}

extension PostgresPool {
    /// Waits, at most ten seconds, until the statistics are as wanted.
    func until(_ condition: (PoolStatistics) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while !condition(self.statistics) {
            try #require(ContinuousClock.now < deadline, "\(self.statistics)")
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
