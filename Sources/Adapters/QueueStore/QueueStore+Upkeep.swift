import DeliveryQueue
public import MailModel
import PostgresDriver

/// How much is in the queue.
public struct QueueSummary: Hashable, Sendable {
    /// Entries and bytes of one state.
    public struct Total: Hashable, Sendable {
        /// Queue entries.
        public let entries: Int
        /// Bytes of their messages.
        public let bytes: Int
    }

    /// Due within the hour, or in delivery.
    public let ready: Total
    /// Waiting an hour or more.
    public let deferred: Total
}

/// One waiting entry, as an operator sees it.
public struct QueueListing: Hashable, Sendable {
    /// Which one.
    public let key: EntryKey
    /// Whether it waits an hour or more.
    public let isDeferred: Bool
    /// The reverse path; empty for the null sender.
    public let sender: String
    /// The recipients that remain.
    public let recipients: [QueueRecipient]
    /// The size of the content in bytes.
    public let size: Int
    /// When it was stored.
    public let arrival: Timestamp
    /// When it is or was due.
    public let nextAttempt: Timestamp
    /// Attempts made and recorded.
    public let attempts: Int
    /// The code of the last failure, and its name.
    public let lastStatus: String?
    public let lastReason: String?
}

extension QueueStore {
    /// Entries of the queue, at most so many, in the order of their keys. For people: it reads all shards.
    public func list(limit: Int = 100) async throws(QueueStoreError) -> [QueueListing] {
        let results = try await self.pool.idempotently([Statement(Self.listSQL, Int64(limit))])
        var listing: [QueueListing] = []
        for row in results[0].rows {
            let key = EntryKey(
                shard: Shard(rawValue: try row.value(0)), message: MessageID(try row.value(1)),
                domain: try row.domain(2))
            listing.append(
                QueueListing(
                    key: key, isDeferred: try row.value(3), sender: try row.value(4),
                    recipients: try StoredJSON.decode(try row.value(5), as: [QueueRecipient].self),
                    size: Int(try row.value(6, as: Int64.self)), arrival: Timestamp(try row.value(7)),
                    nextAttempt: Timestamp(try row.value(8)), attempts: Int(try row.value(9, as: Int32.self)),
                    lastStatus: try row.value(10), lastReason: try row.value(11)))
        }
        return listing
    }

    private static let listSQL = """
        SELECT e.shard, e.message_id, e.domain, e.is_deferred, m.sender, e.recipients::text, e.size, e.arrived_at,
            e.next_attempt_at, e.attempts, e.last_status, e.last_reason
        FROM (SELECT shard, message_id, domain, false AS is_deferred, recipients, size, arrived_at, next_attempt_at,
                attempts, last_status, last_reason FROM relay.ready
            UNION ALL
            SELECT shard, message_id, domain, true, recipients, size, arrived_at, next_attempt_at, attempts,
                last_status, last_reason FROM relay.deferred
            ORDER BY 1, 2, 3 LIMIT $1) AS e
        JOIN relay.message m ON m.shard = e.shard AND m.message_id = e.message_id ORDER BY 1, 2, 3
        """

    /// The totals, from running sums: no scan.
    public func summary() async throws(QueueStoreError) -> QueueSummary {
        let results = try await self.pool.idempotently([
            Statement("SELECT state, sum(messages)::int8, sum(bytes)::int8 FROM relay.queue_counter GROUP BY state")
        ])
        var totals: [String: QueueSummary.Total] = [:]
        for row in results[0].rows {
            let entries: Int64 = try row.value(1)
            let bytes: Int64 = try row.value(2)
            totals[try row.value(0)] = QueueSummary.Total(entries: Int(entries), bytes: Int(bytes))
        }
        let none = QueueSummary.Total(entries: 0, bytes: 0)
        return QueueSummary(ready: totals["ready"] ?? none, deferred: totals["deferred"] ?? none)
    }

    /// The bytes of the whole database on its server's disk.
    public func databaseSize() async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([Statement("SELECT pg_database_size(current_database())")])
        return Int(try Self.only(results[0]).value(0, as: Int64.self))
    }

    /// The life of a message, the earliest event first; bounded.
    public func trace(of message: MessageID, limit: Int = 1000) async throws(QueueStoreError) -> [TraceEvent] {
        let results = try await self.pool.idempotently([
            Statement(
                "SELECT \(TraceRows.columns), at FROM relay.trace WHERE message_id = $1 ORDER BY at, seq LIMIT $2",
                message.uuid, Int64(limit))
        ])
        var events: [TraceEvent] = []
        for row in results[0].rows { events.append(try TraceRows.event(row)) }
        return events
    }
}
