import ClusterModel
import MailModel
import PostgresDriver
import QueueStore

/// Claims while a foreign transaction, open all the time, keeps removed rows from being cleared away (hostile-input 34).
struct DeadTuples {
    let world: QueueWorld
    let count: Int
    let hasMaintenance: Bool

    /// What a busy node delivers in ten seconds; maintenance comes every five.
    private static let step = 10_000
    /// How often it is measured.
    private static let interval = 1_000_000

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // It ends when its session does.
                _ = try? await self.world.admin.script(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class; SELECT pg_sleep(36000)",
                    timeout: .seconds(36_000))
            }
            try await self.fillAndClaim()
            try await self.world.admin.query(
                Statement(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
            group.cancelAll()
        }
    }

    private func fillAndClaim() async throws {
        let hot = self.world.names[0]
        print("dead rows   claim of 40 of the busy domain, ms (median / 99 % / most)   what became due   ready, MiB")
        var done = 0
        while done < self.count {
            try await self.putInAndTakeOut(hot, Self.step)
            done += Self.step
            if self.hasMaintenance { try await self.maintain() }
            guard done % Self.interval == 0 || done == Self.step || done >= self.count else { continue }
            var claims = Timings()
            var polls = Timings()
            for _ in 0..<20 {
                _ = try await claims.measure {
                    try await self.world.store.claim(
                        try self.world.term(of: hot), destination: hot, maximumCount: 40)
                }
                _ = try await polls.measure { try await self.world.store.latelyDue(self.world.allTerms) }
            }
            let size = try await self.world.store.readyStorage().bytes >> 20
            print("\(done)   \(claims.text)   \(polls.text)   \(size)")
        }
        if case .oldest(let snapshot) = try await self.world.store.oldestSnapshot() {
            print("what a node would name: \(snapshot.kind.rawValue), \(snapshot.holder)")
        }
    }

    /// Rows come and go as those of messages that are delivered do.
    private func putInAndTakeOut(_ name: DomainName, _ count: Int) async throws {
        let shard = try self.world.term(of: name).shard.rawValue
        try await self.world.admin.query(
            Statement(
                """
                INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at, arrived_at,
                    attempts, size, recipients, delay_notified)
                SELECT $1, gen_random_uuid(), $2, (SELECT current FROM relay.ready_generation), $2,
                    clock_timestamp() - interval '1 minute', now(), 7777, 100,
                    jsonb_build_array(jsonb_build_object('address', 'bob@' || $2)), false
                FROM generate_series(1, $3)
                """, shard, name.text, Int64(count)))
        try await self.world.admin.query(
            Statement(
                "DELETE FROM relay.ready WHERE shard = $1 AND destination = $2 AND attempts = 7777", shard, name.text))
    }

    /// As `QueueMaintenance` of a node does.
    private func maintain() async throws {
        let store = self.world.store
        guard try await !store.rotateReady(), try await store.readyStorage().isWorthMoving else { return }
        for term in self.world.allTerms {
            while try await store.carryOver(term, limit: 1000) == 1000 {}
        }
        try await store.rotateReady()
    }
}
