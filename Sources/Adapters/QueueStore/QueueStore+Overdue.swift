public import ClusterModel
public import DeliveryQueue
public import MailModel
import PostgresDriver

extension QueueStore {
    /// Entries of a destination in backoff whose senders must be told something meanwhile: they are overdue, or an
    /// operator has given them up.
    ///
    /// A sweep begins with no cursor and ends when none comes back. Each page looks at a bounded number of entries, in
    /// the order in which they are due, and gives those that get an outcome now.
    ///
    /// - Parameters:
    ///   - maximumCount: entries that are given.
    ///   - lookedAt: entries that are looked at.
    @concurrent public func overdueEntries(
        _ term: ShardTerm, destination: DomainName, _ criteria: OverdueCriteria, after cursor: ClaimCursor? = nil,
        maximumCount: Int = QueueLimits.overdueEntries, lookedAt: Int = QueueLimits.overdueLooks
    ) async throws(QueueStoreError) -> Claim {
        let position: [any PostgresEncodable] = [
            term.shard.rawValue, destination.text, cursor?.nextAttempt ?? PostgresTimestamp(microseconds: 0),
            cursor?.message.uuid ?? PostgresUUID(high: 0, low: 0), Int64(lookedAt),
        ]
        let results = try await self.pool.idempotently([
            Self.fence([term]),
            Statement(Self.endOfPageSQL, parameters: position),
            Statement(
                Self.overdueSQL,
                parameters: position + [criteria.delayNotice?.stored, criteria.expiry.stored, Int64(maximumCount)]),
        ])
        let (entries, unreadable, last) = try Self.read(results[2])
        if results[2].rows.count == maximumCount {
            return Claim(entries: entries, unreadable: unreadable, cursor: last)
        }
        var end: ClaimCursor?
        for row in results[1].rows {
            end = ClaimCursor(nextAttempt: try row.value(0), message: MessageID(try row.value(1)))
        }
        return Claim(entries: entries, unreadable: unreadable, cursor: end)
    }

    /// The entries after the cursor, as many as are looked at.
    private static let pageSQL = """
        FROM relay.ready WHERE shard = $1 AND destination = $2 AND next_attempt_at <= now()
            AND (next_attempt_at, message_id) > ($3, $4)
        ORDER BY next_attempt_at, message_id
        """

    private static let endOfPageSQL = "SELECT next_attempt_at, message_id \(pageSQL) OFFSET $5 - 1 LIMIT 1"

    private static let overdueSQL = """
        SELECT \(entryColumns) FROM (SELECT * \(pageSQL) LIMIT $5) AS r
        \(entryJoins)
        WHERE r.arrived_at <= $7 OR (NOT r.delay_notified AND r.arrived_at <= $6::timestamptz) OR r.verdict IS NOT NULL
        ORDER BY r.next_attempt_at, r.message_id LIMIT $8
        """
}
