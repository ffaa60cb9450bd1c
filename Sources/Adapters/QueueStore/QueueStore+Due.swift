public import ClusterModel
public import MailModel
import PostgresDriver

/// Where a walk over the destinations of some shards has come to.
public struct DueCursor: Hashable, Sendable {
    let last: [Shard: String]
}

/// One page of a walk.
public struct DuePage: Sendable {
    /// The destinations among those visited that have entries due and are not held back.
    public let due: [DueEntry]
    /// Where to go on; `nil` at the end.
    public let cursor: DueCursor?
}

/// What has become due since an earlier look.
public struct LatelyDue: Sendable {
    /// The destinations, each once, without those that are held back.
    public let due: [DueEntry]
    /// The moment of this look, for the next one.
    public let moment: Timestamp
}

extension QueueStore {
    /// Visits destinations of these shards that have entries in `ready`, at most `limit` of them.
    ///
    /// It steps from one to the next in the index, so a long queue for one costs no more than a short one. But all that
    /// have any are visited, due or not. A walk goes through the shards side by side.
    public func dueDestinations(
        _ terms: [ShardTerm], after cursor: DueCursor? = nil, limit: Int = QueueLimits.walkedDestinations
    ) async throws(QueueStoreError) -> DuePage {
        let shards = terms.map(\.shard)
        let results = try await self.pool.idempotently([
            Statement(Self.walkSQL, shards.map(\.rawValue), shards.map { cursor?.last[$0] ?? "" }, Int64(limit))
        ])
        var due: [DueEntry] = []
        var last = cursor?.last ?? [:]
        for row in results[0].rows {
            let shard = Shard(rawValue: try row.value(0))
            last[shard] = try row.value(1)
            if try row.value(2, as: Bool.self) { due.append(DueEntry(shard: shard, destination: try row.domain(1))) }
        }
        return DuePage(due: due, cursor: results[0].count < limit ? nil : DueCursor(last: last))
    }

    /// The destinations with entries that became due, or that ceased to be held back, since an earlier look, or lately.
    ///
    /// The cost depends on how much that is, and not on how much waits. Of each shard no more than `limit` entries are
    /// looked at, those that became due last, and as many destinations. What is behind them `dueDestinations` finds. A
    /// transaction that was begun before the earlier look and committed after it is seen if it took no longer than half
    /// a minute.
    public func latelyDue(
        _ terms: [ShardTerm], since moment: Timestamp? = nil, limit: Int = QueueLimits.lateEntries
    ) async throws(QueueStoreError) -> LatelyDue {
        let results = try await self.pool.idempotently([
            Statement("SELECT now()"),
            Statement(Self.latelySQL, terms.map(\.shard.rawValue), moment?.stored, Int64(limit)),
        ])
        var due: [DueEntry] = []
        for row in results[1].rows {
            due.append(DueEntry(shard: Shard(rawValue: try row.value(0)), destination: try row.domain(1)))
        }
        return LatelyDue(due: due, moment: Timestamp(try Self.only(results[0]).value(0)))
    }

    private static let walkSQL = """
        WITH RECURSIVE walk AS (
            SELECT s.shard, f.destination, f.next_attempt_at FROM unnest($1::int2[], $2::text[]) AS s (shard, last)
            CROSS JOIN LATERAL (
                SELECT r.destination, r.next_attempt_at FROM relay.ready r
                WHERE r.shard = s.shard AND r.destination > s.last ORDER BY r.destination, r.next_attempt_at LIMIT 1) AS f
            UNION ALL
            SELECT w.shard, f.destination, f.next_attempt_at FROM walk w CROSS JOIN LATERAL (
                SELECT r.destination, r.next_attempt_at FROM relay.ready r
                WHERE r.shard = w.shard AND r.destination > w.destination
                ORDER BY r.destination, r.next_attempt_at LIMIT 1) AS f
        )
        SELECT w.shard, w.destination, w.next_attempt_at <= now() AND \(QueueStore.isFree("w")) FROM walk w LIMIT $3
        """

    private static let latelySQL = """
        WITH lately AS (
            SELECT DISTINCT s.shard, r.destination FROM unnest($1::int2[]) AS s (shard) CROSS JOIN LATERAL (
                SELECT r.destination FROM relay.ready r WHERE r.shard = s.shard AND r.next_attempt_at <= now()
                    AND r.next_attempt_at > coalesce($2::timestamptz, now()) - interval '30 seconds'
                ORDER BY r.next_attempt_at DESC LIMIT $3) AS r)
        SELECT l.shard, l.destination FROM lately l WHERE \(QueueStore.isFree("l"))
        UNION
        SELECT s.shard, d.destination FROM unnest($1::int2[]) AS s (shard) CROSS JOIN LATERAL (
            SELECT d.destination FROM relay.destination d WHERE d.shard = s.shard AND d.blocked_until <= now()
                AND d.blocked_until > coalesce($2::timestamptz, now()) - interval '30 seconds'
            ORDER BY d.blocked_until DESC LIMIT $3) AS d
        """

    /// A destination that is not held back.
    private static func isFree(_ row: String) -> String {
        """
        coalesce((SELECT d.blocked_until <= now() FROM relay.destination d
            WHERE d.shard = \(row).shard AND d.destination = \(row).destination), true)
        """
    }
}
