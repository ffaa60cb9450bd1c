import PostgresDriver
import Synchronization
import Testing

@Suite("How long work waits for a connection", .timeLimit(.minutes(3)))
struct PoolWaitTests {
    /// Runs `body` with one connection, and gives what the pool told of waits.
    private func waits(
        _ change: (inout PoolSettings) -> Void = { _ in }, _ body: (PostgresPool) async throws -> Void
    ) async throws -> [Duration] {
        let waits = Told()
        try await withPool { settings in
            change(&settings)
            settings.waited = { waits.add($0) }
        } _: { pool in
            try await pool.query(Statement("SELECT 1"))
            waits.clear()
            try await body(pool)
        }
        return waits.all
    }

    /// Returns when the connection of the pool is in use.
    private static func untilBusy(_ pool: PostgresPool) async throws {
        while pool.statistics.busy == 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test("Work that found a free connection hardly waited; work behind it waited as long as that took")
    func behind() async throws {
        let waits = try await self.waits { pool in
            async let first = pool.query(Statement("SELECT pg_sleep(2)::text"))
            try await Self.untilBusy(pool)
            try await pool.query(Statement("SELECT 1"))
            _ = try await first
        }
        try #require(waits.count == 2)
        #expect(waits[0] < .seconds(1))
        #expect(waits[1] > .seconds(1))
    }

    @Test("Work that waited in vain is told of too")
    func inVain() async throws {
        let waits = try await self.waits {
            // Time enough to open the connection on a busy machine.
            $0.acquireTimeout = .seconds(3)
        } _: { pool in
            async let first = pool.query(Statement("SELECT pg_sleep(4)::text"))
            try await Self.untilBusy(pool)
            #expect(await failure { try await pool.query(Statement("SELECT 1")) }?.code == .acquireTimeout)
            _ = try await first
        }
        #expect(waits.count == 2)
        #expect(waits.last.map { $0 >= .seconds(3) } == true)
    }
}

/// What a pool told, in order.
private final class Told: Sendable {
    private let waits = Mutex([Duration]())

    var all: [Duration] { self.waits.withLock { $0 } }
    func add(_ wait: Duration) { self.waits.withLock { $0.append(wait) } }
    func clear() { self.waits.withLock { $0 = [] } }
}
