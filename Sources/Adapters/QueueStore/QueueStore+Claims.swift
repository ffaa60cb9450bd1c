public import ClusterModel
public import DeliveryQueue
public import MailModel
import PostgresDriver

/// Where a read of a destination's entries has come to.
public struct ClaimCursor: Hashable, Sendable {
    let nextAttempt: PostgresTimestamp
    let message: MessageID
}

/// An entry whose row this program cannot read, such as one that a later version wrote.
public struct UnreadableEntry: Sendable {
    /// Which message.
    public let message: MessageID
    /// Why.
    public let error: QueueStoreError
    let shard: Int16
    let domain: String
}

/// What one claim read.
public struct Claim: Sendable {
    /// The entries, the earliest first.
    public let entries: [QueueEntry]
    /// Those among them that cannot be read: they keep nobody else waiting. `holdBack` puts them off.
    public let unreadable: [UnreadableEntry]
    /// Where to go on; `nil` when there is no more for now.
    public let cursor: ClaimCursor?
    /// The destination's row, if it has one.
    public let backoff: DestinationBackoff?
    /// Whether the destination is in backoff, by the database's clock.
    public let isBackoffInForce: Bool
    /// The number of the last look-up that an operator wants made anew: no later than the retry that made an entry due.
    public let flushSerial: Int64

    init(
        entries: [QueueEntry], unreadable: [UnreadableEntry], cursor: ClaimCursor?,
        backoff: DestinationBackoff? = nil, isBackoffInForce: Bool = false, flushSerial: Int64 = 0
    ) {
        self.entries = entries
        self.unreadable = unreadable
        self.cursor = cursor
        self.backoff = backoff
        self.isBackoffInForce = isBackoffInForce
        self.flushSerial = flushSerial
    }
}

extension QueueStore {
    /// Reads entries of one destination that are due, and the destination's row. It is a keyset read that changes
    /// nothing, since the lease makes the owner the only reader. Bounded by count and by the size of bodies; at least
    /// one entry comes if any is due.
    ///
    /// A sweep begins with no cursor and ends when none comes back. Later sweeps begin anew, because a transaction that
    /// commits late may show entries that lie before the cursor. The owner leaves out those that it has already.
    @concurrent public func claim(
        _ term: ShardTerm, destination: DomainName, after cursor: ClaimCursor? = nil, maximumCount: Int = 100,
        maximumBytes: Int = QueueLimits.claimedBytes
    ) async throws(QueueStoreError) -> Claim {
        let results = try await self.pool.idempotently([
            Self.fence([term]), DestinationRows.select(term.shard, destination),
            Statement(
                Self.claimSQL, term.shard.rawValue, destination.text,
                cursor?.nextAttempt ?? PostgresTimestamp(microseconds: 0),
                cursor?.message.uuid ?? PostgresUUID(high: 0, low: 0), Int64(maximumCount), Int64(maximumBytes)),
            // After the entries: a retry commits both at once.
            Self.flushSerial,
        ])
        let row = try DestinationRows.backoff(results[1])
        let (entries, unreadable, last) = try Self.read(results[2])
        return Claim(
            entries: entries, unreadable: unreadable, cursor: last, backoff: row?.backoff,
            isBackoffInForce: row?.isInForce ?? false, flushSerial: try Self.only(results[3]).value(0))
    }

    /// Reads the row of a destination, if it has one, in force or not.
    public func backoff(
        _ term: ShardTerm, destination: DomainName
    ) async throws(QueueStoreError) -> DestinationBackoff? {
        let results = try await self.pool.idempotently([DestinationRows.select(term.shard, destination)])
        return try DestinationRows.backoff(results[0])?.backoff
    }

    /// Reads rows of `entryColumns`; with where the last of them stands.
    static func read(
        _ result: QueryResult
    ) throws(QueueStoreError) -> (entries: [QueueEntry], unreadable: [UnreadableEntry], last: ClaimCursor?) {
        var entries: [QueueEntry] = []
        var unreadable: [UnreadableEntry] = []
        var last: ClaimCursor?
        for row in result.rows {
            let message = MessageID(try row.value(1))
            last = ClaimCursor(nextAttempt: try row.value(7), message: message)
            do throws(QueueStoreError) {
                entries.append(try Self.entry(row))
            } catch {
                unreadable.append(
                    UnreadableEntry(message: message, error: error, shard: try row.value(0), domain: try row.value(2)))
            }
        }
        return (entries, unreadable, last)
    }

    /// Puts entries off that cannot be read, until somebody has looked at them.
    public func holdBack(
        _ entries: [UnreadableEntry], in term: ShardTerm, for pause: Duration
    ) async throws(QueueStoreError) {
        try await self.pool.idempotently([
            Self.fence([term]),
            Statement(
                """
                WITH held_back AS (
                    UPDATE relay.ready r SET next_attempt_at = now() + $4 * interval '1 microsecond'
                    FROM unnest($1, $2, $3) AS g (shard, message_id, domain)
                    WHERE \(Lookup.sql("r", "g", "shard", "message_id", "domain"))
                    RETURNING r.next_attempt_at AS at, r.size, r.arrived_at)
                \(WaitingSums.add("held_back"))
                """, entries.map(\.shard), entries.map(\.message.uuid), entries.map(\.domain),
                pause.storedMicroseconds),
        ])
    }

    /// Brings deferred entries back that are due soon. Call it for each owned shard about once a minute.
    ///
    /// - Returns: how many came; as many as `limit` means that there may be more.
    @discardableResult
    public func promoteDeferred(
        _ term: ShardTerm, within horizon: Duration = QueueLimits.promotionHorizon, limit: Int = 1000
    ) async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([
            Self.fence([term]),
            Statement(Self.promoteSQL, term.shard.rawValue, horizon.storedMicroseconds, Int64(limit)),
        ])
        return Int(try Self.only(results[1]).value(0, as: Int64.self))
    }

    private static func entry(_ row: QueryResult.Row) throws(QueueStoreError) -> QueueEntry {
        let key = EntryKey(
            shard: Shard(rawValue: try row.value(0)), message: MessageID(try row.value(1)), domain: try row.domain(2))
        let openNode: String? = try row.value(13)
        let openEpoch: Int64? = try row.value(14)
        let openNumber: Int32? = try row.value(15)
        let openedAt: PostgresTimestamp? = try row.value(16)
        var open: OpenAttempt?
        if let openNode, let openEpoch, let openNumber, let openedAt {
            open = OpenAttempt(
                node: openNode, epoch: Epoch(rawValue: openEpoch), attempt: Int(openNumber),
                openedAt: Timestamp(openedAt))
        }
        return QueueEntry(
            key: key, sender: try row.value(3),
            attributes: try StoredJSON.decode(try row.value(4), as: MessageAttributes.self),
            size: Int(try row.value(5, as: Int64.self)), arrival: Timestamp(try row.value(6)),
            nextAttempt: Timestamp(try row.value(7)), attempts: Int(try row.value(8, as: Int32.self)),
            recipients: try StoredJSON.decode(try row.value(9), as: [QueueRecipient].self),
            isDelayNotified: try row.value(10), lastStatus: try row.value(11), lastReason: try row.value(12),
            openAttempt: open, verdict: try row.value(17))
    }

    /// The columns that `entry` reads.
    static let entryColumns = """
        r.shard, r.message_id, r.domain, m.sender, m.attributes, r.size, r.arrived_at, r.next_attempt_at, r.attempts, \
        r.recipients::text, r.delay_notified, r.last_status, r.last_reason, o.node, o.epoch, o.attempt, o.opened_at, \
        r.verdict
        """

    /// The tables beside `r` that they are in: look-ups, whatever the planner thinks of the tables' sizes.
    static let entryJoins = """
        CROSS JOIN LATERAL (
            SELECT * FROM relay.message m WHERE m.shard = r.shard AND m.message_id = r.message_id OFFSET 0) AS m
        LEFT JOIN LATERAL (
            SELECT * FROM relay.open_attempt o
            WHERE o.shard = r.shard AND o.message_id = r.message_id AND o.domain = r.domain OFFSET 0) AS o ON true
        """

    private static let claimSQL = """
        SELECT \(entryColumns) FROM (
            SELECT *, sum(size) OVER (ORDER BY next_attempt_at, message_id) - size AS before FROM (
                SELECT * FROM relay.ready WHERE shard = $1 AND destination = $2 AND next_attempt_at <= now()
                    AND (next_attempt_at, message_id) > ($3, $4)
                ORDER BY next_attempt_at, message_id LIMIT $5) AS first) AS r
        \(entryJoins)
        WHERE r.before < $6 ORDER BY r.next_attempt_at, r.message_id
        """

    private static let promoteSQL = """
        WITH due AS (
            SELECT message_id, domain FROM relay.deferred
            WHERE shard = $1 AND next_attempt_at <= now() + $2 * interval '1 microsecond'
            ORDER BY next_attempt_at LIMIT $3
        ), moved AS (
            DELETE FROM relay.deferred d USING due
            WHERE d.shard = $1 AND \(Lookup.sql("d", "due", "message_id", "domain")) RETURNING d.*
        ), put AS (
            INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at, arrived_at,
                attempts, size, recipients, delay_notified, last_status, last_reason)
            SELECT shard, message_id, domain, (SELECT current FROM relay.ready_generation), destination,
                next_attempt_at, arrived_at, attempts, size, recipients, delay_notified, last_status, last_reason
            FROM moved
        ), counted AS (
            INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
            SELECT pg_backend_pid() % 64, v.state, v.sign * count(*), v.sign * sum(size)
            FROM moved, (VALUES ('deferred', -1), ('ready', 1)) AS v (state, sign) GROUP BY v.state, v.sign
            ORDER BY v.state
            ON CONFLICT (slot, state) DO UPDATE
            SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
            RETURNING 1
        ), waits AS (
            -- After the other sums, as everybody does, so that none wait for each other in a circle.
            \(WaitingSums.add("(SELECT next_attempt_at AS at, size, arrived_at FROM moved"
                + " WHERE next_attempt_at > now() AND (SELECT count(*) FROM counted) > 0) AS v"))
        )
        SELECT count(*) FROM moved
        """
}
