public import MailModel
import PostgresDriver

/// What only a look at every entry tells.
public struct QueueCensus: Hashable, Sendable {
    /// What waits for one domain.
    public struct Domain: Hashable, Sendable {
        /// The recipients' domain.
        public let name: DomainName
        /// Its entries.
        public let total: QueueSummary.Total
        /// When the oldest of them arrived.
        public let oldest: Timestamp

        package init(name: DomainName, total: QueueSummary.Total, oldest: Timestamp) {
            self.name = name
            self.total = total
            self.oldest = oldest
        }
    }

    /// Counted, not summed up.
    public let summary: QueueSummary
    /// The domains with the most entries, the longest queue first.
    public let domains: [Domain]

    package init(summary: QueueSummary, domains: [Domain]) {
        self.summary = summary
        self.domains = domains
    }
}

extension QueueAdministration {
    /// Counts every entry: a scan of the whole queue, but not of its messages.
    ///
    /// - Parameter limit: of domains.
    public func census(domains limit: Int) async throws(QueueStoreError) -> QueueCensus {
        let results = try await self.longRunning(Statement(Self.censusSQL, Int64(limit)))
        var states: [QueueListing.State: QueueSummary.Total] = [:]
        var domains: [QueueCensus.Domain] = []
        for row in results.rows {
            let total = QueueSummary.Total(
                entries: Int(try row.value(2, as: Int64.self)), bytes: Int(try row.value(3, as: Int64.self)))
            if let state: String = try row.value(0) {
                if let state = QueueListing.State(rawValue: state) { states[state] = total }
            } else {
                domains.append(
                    QueueCensus.Domain(name: try row.domain(1), total: total, oldest: Timestamp(try row.value(4))))
            }
        }
        for state in QueueListing.State.allCases { states[state] = states[state] ?? .init() }
        return QueueCensus(summary: QueueSummary(states), domains: domains)
    }

    /// Every entry with its state. Here joins may be scans: every row is read.
    static let entriesSQL = """
        told AS MATERIALIZED (
            SELECT 'ready' AS place, e.shard, e.message_id, e.domain, e.destination, e.attempts, e.size, e.arrived_at,
                e.next_attempt_at FROM relay.ready e
        ), throttled AS MATERIALIZED (
            SELECT shard, destination, blocked_until FROM relay.destination WHERE blocked_until > now()
        ), suspended AS MATERIALIZED (
            SELECT t.domain, q.id FROM (SELECT DISTINCT domain FROM told) AS t
            CROSS JOIN LATERAL \(EntryTruth.suspension(of: "t.domain")) AS q
        ), entries AS (
            SELECT \(EntryTruth.state(at: "now()")) AS state, e.domain, e.size, e.arrived_at FROM told e
            LEFT JOIN relay.shard_lease l ON l.shard = e.shard
            LEFT JOIN relay.open_attempt o ON o.shard = e.shard AND o.message_id = e.message_id
                AND o.domain = e.domain AND o.epoch = l.epoch AND o.attempt > e.attempts
            LEFT JOIN relay.under_way u ON u.shard = e.shard AND u.message_id = e.message_id
                AND u.domain = e.domain AND u.epoch = l.epoch AND u.node = l.owner
                AND u.attempt > e.attempts
            LEFT JOIN throttled d ON d.shard = e.shard AND d.destination = e.destination
            LEFT JOIN suspended q ON q.domain = e.domain
            UNION ALL SELECT 'deferred', domain, size, arrived_at FROM relay.deferred
            UNION ALL SELECT 'held', domain, size, arrived_at FROM relay.held
        )
        """

    private static let censusSQL = """
        WITH \(entriesSQL), counted AS MATERIALIZED (
            SELECT state, domain, count(*) AS entries, sum(size) AS bytes, min(arrived_at) AS oldest
            FROM entries GROUP BY state, domain)
        (SELECT state, NULL, sum(entries)::int8, sum(bytes)::int8, min(oldest) FROM counted GROUP BY state)
        UNION ALL
        (SELECT NULL, domain, sum(entries)::int8, sum(bytes)::int8, min(oldest) FROM counted
            GROUP BY domain ORDER BY 3 DESC, 2 LIMIT $1)
        """
}
