public import ClusterModel
import MailModel
import PostgresDriver

/// Sums of the entries in `ready` that wait for their time, by that time in steps of ten seconds.
///
/// An entry adds to the row of its time when it is put off. When the time comes the row counts no more, so whoever
/// tries the entry then changes nothing. Only an operator who takes it out earlier has to. What a late outcome of a
/// former owner takes out earlier is counted until its time comes. So a summary reads some hundred rows, however much
/// waits.
enum WaitingSums {
    /// The statement that adds rows to the sums; also for the last part of a `WITH`.
    ///
    /// - Parameter rows: a table with the columns `at`, `size` and `arrived_at`.
    static func add(_ rows: String) -> String {
        """
        INSERT INTO relay.queue_waiting AS w (slot, due, messages, bytes, oldest)
        SELECT pg_backend_pid() % 64, date_bin('10 seconds', at, 'epoch') + interval '10 seconds', count(*), sum(size),
            min(arrived_at)
        FROM \(rows) GROUP BY 2 ORDER BY 2
        ON CONFLICT (due, slot) DO UPDATE SET messages = w.messages + excluded.messages,
            bytes = w.bytes + excluded.bytes, oldest = least(w.oldest, excluded.oldest)
        """
    }
}

extension QueueStore {
    /// The most destinations of a shard whose entries are counted while they are in backoff, those for the longest time
    /// first. As many, on the average, are counted while they are suspended.
    public static let throttledPerShard = 10_000
    /// The most entries that are counted for one of them; what is beyond counts as ready.
    public static let countedPerDestination = 1_000_000

    /// Forgets sums of what waited for a time that is past.
    public func sweepWaitingSums() async throws(QueueStoreError) {
        try await self.pool.idempotently([
            Statement("DELETE FROM relay.queue_waiting WHERE due < now() - interval '1 minute'")
        ])
    }

    /// Counts what is due and waits for destinations of these shards that are throttled or suspended. It costs as much as is counted: call
    /// it at a pace that heeds how long it took.
    public func countThrottled(_ terms: [ShardTerm]) async throws(QueueStoreError) {
        try await self.pool.idempotently([
            Statement(
                Self.throttledSQL, terms.map(\.shard.rawValue), Int64(Self.throttledPerShard),
                Int64(Self.countedPerDestination))
        ])
    }

    /// All destinations are walked through only while something is suspended.
    private static let throttledSQL = """
        WITH RECURSIVE walk AS (
            SELECT s.shard, f.destination FROM unnest($1::int2[]) AS s (shard) CROSS JOIN LATERAL (
                SELECT r.destination FROM relay.ready r WHERE r.shard = s.shard ORDER BY r.destination LIMIT 1) AS f
            WHERE EXISTS (
                SELECT FROM relay.queue_rule q WHERE q.action = 'suspend' AND (q.until IS NULL OR q.until > now()))
            UNION ALL
            SELECT w.shard, f.destination FROM walk w CROSS JOIN LATERAL (
                SELECT r.destination FROM relay.ready r WHERE r.shard = w.shard AND r.destination > w.destination
                ORDER BY r.destination LIMIT 1) AS f
        ), kept AS (
            SELECT d.shard, d.destination FROM unnest($1::int2[]) AS s (shard) CROSS JOIN LATERAL (
                SELECT d.shard, d.destination FROM relay.destination d
                WHERE d.shard = s.shard AND d.blocked_until > now() ORDER BY d.blocked_until DESC LIMIT $2) AS d
            UNION
            (SELECT w.shard, w.destination FROM walk w
                CROSS JOIN LATERAL \(EntryTruth.suspension(of: "w.destination")) AS q
                LIMIT $2 * cardinality($1::int2[]))
        ), counted AS MATERIALIZED (
            SELECT d.shard, d.destination, c.messages, c.bytes, c.oldest FROM kept d
            CROSS JOIN LATERAL (
                SELECT count(*) AS messages, sum(r.size)::int8 AS bytes, min(r.arrived_at) AS oldest FROM (
                    SELECT r.size, r.arrived_at FROM relay.ready r
                    WHERE r.shard = d.shard AND r.destination = d.destination AND r.next_attempt_at <= now()
                    ORDER BY r.next_attempt_at LIMIT $3) AS r) AS c
            WHERE c.messages > 0
        ), gone AS (
            DELETE FROM relay.destination_waiting w USING unnest($1::int2[]) AS s (shard)
            WHERE w.shard = s.shard AND NOT EXISTS (
                SELECT FROM counted c WHERE c.shard = w.shard AND c.destination = w.destination)
        )
        INSERT INTO relay.destination_waiting AS w (shard, destination, messages, bytes, oldest)
        SELECT shard, destination, messages, bytes, oldest FROM counted ORDER BY shard, destination
        ON CONFLICT (shard, destination) DO UPDATE
        SET messages = excluded.messages, bytes = excluded.bytes, oldest = excluded.oldest
        WHERE (w.messages, w.bytes, w.oldest) IS DISTINCT FROM (excluded.messages, excluded.bytes, excluded.oldest)
        """
}
