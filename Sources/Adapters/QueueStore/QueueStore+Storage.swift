public import ClusterModel
import MailModel
import PostgresDriver

/// What the two partitions of `ready` that take turns hold, and what they take up.
public struct ReadyStorage: Hashable, Sendable {
    /// Bytes of both with their indexes.
    public let bytes: Int
    /// Rows that are gone and not cleared away, as the server counts them.
    public let deadRows: Int

    /// The partitions are not switched below this size.
    public static let smallest = 8 * 1024 * 1024
    /// So many are passed in some ten milliseconds.
    private static let mostDeadRows = 20_000

    /// Many entries are gone, and neither vacuum nor rotation gave their space back. Something still sees them, and a
    /// few that wait keep their partition from being emptied. These are worth moving.
    public var isWorthMoving: Bool { self.bytes > Self.smallest && self.deadRows > Self.mostDeadRows }
}

extension QueueStore {
    /// What the partitions that take turns hold: no scan.
    public func readyStorage() async throws(QueueStoreError) -> ReadyStorage {
        let results = try await self.pool.idempotently([
            Statement(
                """
                SELECT sum(pg_total_relation_size(part))::int8, sum(pg_stat_get_dead_tuples(part))::int8
                FROM unnest(ARRAY['relay.ready_0', 'relay.ready_1']::regclass[]) AS p (part)
                """)
        ])
        let row = try Self.only(results[0])
        return ReadyStorage(
            bytes: Int(try row.value(0, as: Int64.self)), deadRows: Int(try row.value(1, as: Int64.self)))
    }

    /// Truncates the partition that takes no new entries, if it is empty and one of the two has grown to so many bytes.
    /// Then lets new entries go there, if it is the present one that has. Call it every few seconds.
    ///
    /// - Returns: whether one was truncated.
    @discardableResult
    public func rotateReady(atLeast bytes: Int = ReadyStorage.smallest) async throws(QueueStoreError) -> Bool {
        let results = try await self.pool.idempotently([Statement("SELECT relay.rotate_ready($1)", Int64(bytes))])
        return try Self.only(results[0]).value(0)
    }

    /// Moves entries of a shard out of the partition that takes no new ones, to where those are that stay. So it can be
    /// truncated. Nothing else about them changes: whoever has read them may go on. A transaction that meets one on its
    /// way is refused, and repeated.
    ///
    /// - Returns: how many moved; as many as `limit` means that there may be more.
    @discardableResult
    public func carryOver(_ term: ShardTerm, limit: Int = 1000) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([
            Self.fence([term]),
            Statement(
                """
                WITH left_behind AS (
                    SELECT message_id, domain FROM relay.ready
                    WHERE shard = $1 AND generation = (SELECT 1 - current FROM relay.ready_generation)
                    ORDER BY message_id, domain LIMIT $2)
                UPDATE relay.ready r SET generation = 2
                FROM left_behind l
                WHERE r.shard = $1 AND r.generation <> 2 AND \(Lookup.sql("r", "l", "message_id", "domain"))
                """, term.shard.rawValue, Int64(limit)),
        ])
        return results[1].affectedRows
    }

    /// Removes bodies that were staged and never published, if no chunk has come for so long.
    ///
    /// - Returns: how many bodies; as many as `limit` means that there may be more.
    @discardableResult
    public func sweepOrphans(
        olderThan age: Duration = .seconds(3600), limit: Int = 100
    ) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([
            Statement(
                """
                WITH old AS (
                    SELECT shard, message_id FROM relay.staged_body
                    WHERE touched_at < clock_timestamp() - $1 * interval '1 microsecond' LIMIT $2
                    FOR UPDATE SKIP LOCKED
                ), gone AS (
                    DELETE FROM relay.staged_body s USING old WHERE \(Lookup.sql("s", "old", "shard", "message_id"))
                ), chunks AS (
                    DELETE FROM relay.body_chunk c USING old WHERE \(Lookup.sql("c", "old", "shard", "message_id")))
                SELECT count(*) FROM old
                """, age.storedMicroseconds, Int64(limit))
        ])
        return Int(try Self.only(results[0]).value(0, as: Int64.self))
    }

    /// How long a finished message stays on record, so that an INSERT of it that is repeated stores nothing: a writer
    /// gives up long before.
    public var repetitionTime: Duration {
        max(.seconds(300), (self.pool.settings.acquireTimeout + self.pool.settings.statementTimeout) * 20)
    }

    /// Forgets messages of a shard that were finished so long ago (unless said, `repetitionTime`) that no INSERT of theirs
    /// can be repeated any more.
    ///
    /// - Returns: how many; as many as `limit` means that there may be more.
    @discardableResult
    public func sweepFinished(
        _ shard: Shard, olderThan age: Duration? = nil, limit: Int = 5000
    ) async throws(QueueStoreError) -> Int {
        // A partial index holds the finished messages alone, the earliest first.
        let results = try await self.pool.idempotently([
            Statement(
                """
                DELETE FROM relay.message m USING (
                    SELECT message_id FROM relay.message WHERE shard = $1
                        AND finished_at < clock_timestamp() - $2 * interval '1 microsecond'
                    ORDER BY finished_at LIMIT $3) AS old
                WHERE m.shard = $1 AND \(Lookup.sql("m", "old", "message_id"))
                """, shard.rawValue, (age ?? self.repetitionTime).storedMicroseconds, Int64(limit))
        ])
        return results[0].affectedRows
    }

    /// Forgets destinations of a shard that have not been held back for so long.
    ///
    /// - Returns: how many; as many as `limit` means that there may be more.
    @discardableResult
    public func sweepDestinations(
        _ term: ShardTerm, olderThan age: Duration = .seconds(86_400), limit: Int = 1000
    ) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([
            Self.fence([term]),
            Statement(
                """
                DELETE FROM relay.destination d USING (
                    SELECT destination FROM relay.destination
                    WHERE shard = $1 AND blocked_until < now() - $2 * interval '1 microsecond'
                    ORDER BY blocked_until LIMIT $3) AS old
                WHERE d.shard = $1 AND \(Lookup.sql("d", "old", "destination"))
                """, term.shard.rawValue, age.storedMicroseconds, Int64(limit)),
        ])
        return results[1].affectedRows
    }

    /// Makes partitions for the traces of the coming days, and forgets those of days that have been over for so long;
    /// at least one day.
    ///
    /// - Returns: how many days were forgotten.
    @discardableResult
    public func keepTrace(for retention: Duration) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([
            Statement(
                "SELECT relay.keep_trace($1 * interval '1 microsecond')", retention.storedMicroseconds)
        ])
        return Int(try Self.only(results[0]).value(0, as: Int32.self))
    }

    /// Forgets the oldest days of the trace until it takes up no more than so many bytes on the server's disk, at least 4 MiB.
    /// Where today alone is larger, today is forgotten too.
    ///
    /// - Returns: how many partitions were forgotten.
    @discardableResult
    public func limitTrace(to bytes: Int) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([Statement("SELECT relay.limit_trace($1)", Int64(bytes))])
        return Int(try Self.only(results[0]).value(0, as: Int32.self))
    }
}
