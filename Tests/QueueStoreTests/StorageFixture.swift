import ClusterModel
import LabDatabase
import MailModel
import PostgresDriver
import QueueStore
import TestLiterals
import Testing

/// What a node does, with the pages that it touches counted by the server: a measure of work that knows nothing of the
/// machine's speed.
struct CountedStore {
    let store: QueueStore
    private let pool: PostgresPool

    /// Pages of the queue's tables and their indexes that `body` touched.
    func pages(_ body: (QueueStore) async throws -> Void) async throws -> Int64 {
        let before = try await self.touched()
        try await body(self.store)
        return try await self.touched() - before
    }

    private func touched() async throws -> Int64 {
        // The only connection hands in its counts at the end of this statement, and reads them with the next.
        try await self.pool.query(Statement("SELECT pg_stat_force_next_flush()"))
        return try await self.pool.query(
            Statement(
                """
                SELECT sum(coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0) + coalesce(idx_blks_hit, 0)
                    + coalesce(idx_blks_read, 0))::int8
                FROM pg_statio_all_tables WHERE schemaname = 'relay'
                """)
        ).single().get(0)
    }

    /// Runs a test with a node that has one connection.
    static func run(
        _ queue: QueueFixture, plansLive lifetime: Duration? = nil, _ body: (CountedStore) async throws -> Void
    ) async throws {
        try await queue.keepAutovacuumAway()
        let pool = queue.database.pool(QueueStore.poolSettings, as: QueueLogin.node) { settings in
            settings.planLifetime = lifetime ?? settings.planLifetime
        }
        defer { pool.shutDown() }
        try await body(CountedStore(store: try await QueueStore(pool: pool, node: "node-a"), pool: pool))
    }

    /// Runs a test with an operator who has one connection.
    static func run(
        _ queue: QueueFixture, _ body: (CountedStore, QueueAdministration) async throws -> Void
    ) async throws {
        try await queue.keepAutovacuumAway()
        let pool = queue.database.pool(QueueAdministration.poolSettings, as: QueueLogin.person)
        defer { pool.shutDown() }
        let store = try await QueueStore(pool: pool, node: "operator")
        try await body(CountedStore(store: store, pool: pool), try await QueueAdministration(pool: pool))
    }
}

extension QueueFixture {
    /// Its work would be counted, too.
    fileprivate func keepAutovacuumAway() async throws {
        try await self.admin.script(
            """
            DO $$ DECLARE part regclass; BEGIN
                FOR part IN SELECT oid::regclass FROM pg_class
                    WHERE relnamespace = 'relay'::regnamespace AND relkind = 'r'
                LOOP
                    EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', part);
                END LOOP;
            END $$
            """)
    }

    /// Takes away all days of the trace, as if none had been made in time.
    func dropTraceDays() async throws {
        try await self.admin.script(
            """
            DO $$ DECLARE day regclass; BEGIN
                FOR day IN SELECT inhrelid::regclass FROM pg_inherits
                    WHERE inhparent = 'relay.trace'::regclass AND inhrelid <> 'relay.trace_other'::regclass
                LOOP
                    EXECUTE format('DROP TABLE %s', day);
                END LOOP;
            END $$
            """)
    }

    /// Puts entries into `ready` by SQL, so many for each of these domains, all due for so many minutes. Each has its message
    /// and its part of the sums.
    func fill(_ names: [DomainName], each count: Int, dueFor minutes: Int = 60) async throws {
        try await self.admin.pipeline(
            [
                Statement(
                    """
                    WITH made AS (
                        SELECT d.shard, d.name, gen_random_uuid() AS id
                        FROM unnest($1::int2[], $2::text[]) AS d (shard, name), generate_series(1, $3)
                    ), messages AS (
                        INSERT INTO relay.message (shard, message_id, sender, attributes, size, body, chunks, remaining)
                        SELECT shard, id, 'alice@alpha.test', '{}', 7, 'content', 0, 1 FROM made
                    ), entries AS (
                        INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at,
                            arrived_at, attempts, size, recipients, delay_notified)
                        SELECT shard, id, name, (SELECT current FROM relay.ready_generation), name,
                            now() - interval '1 minute' * $4, now(), 0, 7,
                            jsonb_build_array(jsonb_build_object('address', 'bob@' || name)), false FROM made)
                    INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
                    SELECT 0, 'ready', count(*), 7 * count(*) FROM made
                    ON CONFLICT (slot, state) DO UPDATE
                    SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
                    """, try names.map { try self.term($0).shard.rawValue }, names.map(\.text), Int64(count),
                    Int64(minutes)),
                // Else its work would be counted later, as that of others.
                Statement("SELECT pg_stat_force_next_flush()"),
            ], timeout: .seconds(120))
    }

    /// Puts rows into `ready` and takes them out again, as messages come and go that are delivered.
    func wear(_ name: DomainName, _ count: Int) async throws {
        try await self.fill([name], each: count)
        try await self.admin.script(
            """
            DELETE FROM relay.ready WHERE destination = '\(name)' AND generation <> 2;
            SELECT pg_stat_force_next_flush()
            """, timeout: .seconds(120))
    }

    /// Puts a destination in backoff from now on for so many seconds.
    func block(_ name: DomainName, for seconds: Int) async throws {
        try await self.admin.query(
            Statement(
                """
                INSERT INTO relay.destination (shard, destination, blocked_until, failures, reason)
                VALUES ($1, $2, now() + $3 * interval '1 second', 1, 'connect')
                ON CONFLICT (shard, destination) DO UPDATE SET blocked_until = excluded.blocked_until
                """, try self.term(name).shard.rawValue, name.text, Int64(seconds)))
    }

    /// As `QueueMaintenance` of a node does.
    func rotateAsNodesDo() async throws {
        guard try await !self.store.rotateReady(), try await self.store.readyStorage().isWorthMoving else { return }
        for lease in self.leases {
            while try await self.store.carryOver(lease.term, limit: 1000) == 1000 {}
        }
        try await self.store.rotateReady()
    }

    /// Runs `body` while a transaction that has nothing to do with mail keeps its view of the database.
    func withForeignSnapshot(_ body: () async throws -> Void) async throws {
        let sleeping = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        async let foreign: Void = {
            _ = try? await self.admin.script(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class; SELECT pg_sleep(150)",
                timeout: .seconds(160))
        }()
        try await self.waitUntil("SELECT count(*) \(sleeping)")
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        try await self.admin.script("SELECT pg_terminate_backend(pid) \(sleeping)")
        await foreign
        try outcome.get()
    }
}
