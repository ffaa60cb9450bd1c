public import MailModel
import PostgresDriver

/// How much is in the queue.
public struct QueueSummary: Hashable, Sendable {
    /// Entries and bytes of one state.
    public struct Total: Hashable, Sendable {
        /// Queue entries.
        public var entries: Int
        /// Bytes of their messages.
        public var bytes: Int

        /// So many entries, of so many bytes in all.
        public init(entries: Int = 0, bytes: Int = 0) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    /// Due within the hour, or in delivery.
    public let ready: Total
    /// Waiting an hour or more.
    public let deferred: Total
    /// Held back by an operator.
    public let held: Total

    /// All that is stored.
    public var total: Total {
        let all = [self.ready, self.deferred, self.held]
        return Total(entries: all.reduce(0) { $0 + $1.entries }, bytes: all.reduce(0) { $0 + $1.bytes })
    }

    /// Adds the slots of the running sums up; their number does not grow with the queue.
    static func read(_ pool: PostgresPool) async throws(QueueStoreError) -> QueueSummary {
        let results = try await pool.idempotently([
            Statement("SELECT state, sum(messages)::int8, sum(bytes)::int8 FROM relay.queue_counter GROUP BY state")
        ])
        var totals: [String: Total] = [:]
        for row in results[0].rows {
            totals[try row.value(0)] = Total(
                entries: Int(try row.value(1, as: Int64.self)), bytes: Int(try row.value(2, as: Int64.self)))
        }
        return QueueSummary(
            ready: totals["ready"] ?? Total(), deferred: totals["deferred"] ?? Total(), held: totals["held"] ?? Total())
    }
}

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
    }

    /// Counted, not summed up.
    public let summary: QueueSummary
    /// The domains with the most entries, the longest queue first.
    public let domains: [Domain]
}

extension QueueAdministration {
    /// The totals, from running sums: no scan.
    public func summary() async throws(QueueStoreError) -> QueueSummary { try await QueueSummary.read(self.pool) }

    /// When the oldest message of each state arrived, by states that have any.
    ///
    /// Ids begin with the time at which a node made them, so the first key of each shard is its oldest: this takes
    /// three look-ups in an index for each shard, however long the queue. Clocks of nodes that differ can make it as
    /// much newer.
    public func oldestArrivals() async throws(QueueStoreError) -> [QueueListing.Place: Timestamp] {
        var oldest: [QueueListing.Place: Timestamp] = [:]
        for place in QueueListing.Place.allCases {
            let results = try await self.pool.idempotently([
                // A plan that was made while there was next to nothing would go through all that has come since, or sort it.
                Statement("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)"),
                Statement(
                    """
                    SELECT min(f.arrived_at) FROM relay.shard_lease s CROSS JOIN LATERAL (
                        SELECT e.arrived_at FROM relay.\(place.rawValue) e WHERE e.shard = s.shard
                        ORDER BY e.shard, e.message_id, e.domain LIMIT 1) AS f
                    """),
            ])
            let arrival: PostgresTimestamp? = try QueueStore.only(results[1]).value(0)
            if let arrival { oldest[place] = Timestamp(arrival) }
        }
        return oldest
    }

    /// Counts every entry: a scan of the whole queue, but not of its messages.
    ///
    /// - Parameter limit: of domains.
    public func census(domains limit: Int) async throws(QueueStoreError) -> QueueCensus {
        let tables = QueueListing.Place.allCases.map {
            "SELECT '\($0.rawValue)' AS state, domain, size, arrived_at FROM relay.\($0.rawValue)"
        }
        let results = try await self.longRunning(
            Statement(
                """
                WITH counted AS MATERIALIZED (
                    SELECT state, domain, count(*) AS entries, sum(size) AS bytes, min(arrived_at) AS oldest
                    FROM (\(tables.joined(separator: " UNION ALL "))) AS e GROUP BY state, domain)
                (SELECT state, NULL, sum(entries)::int8, sum(bytes)::int8, min(oldest) FROM counted GROUP BY state)
                UNION ALL
                (SELECT NULL, domain, sum(entries)::int8, sum(bytes)::int8, min(oldest) FROM counted
                    GROUP BY domain ORDER BY 3 DESC, 2 LIMIT $1)
                """, Int64(limit)))
        var states: [String: QueueSummary.Total] = [:]
        var domains: [QueueCensus.Domain] = []
        for row in results.rows {
            let total = QueueSummary.Total(
                entries: Int(try row.value(2, as: Int64.self)), bytes: Int(try row.value(3, as: Int64.self)))
            if let state: String = try row.value(0) {
                states[state] = total
            } else {
                domains.append(
                    QueueCensus.Domain(name: try row.domain(1), total: total, oldest: Timestamp(try row.value(4))))
            }
        }
        return QueueCensus(
            summary: QueueSummary(
                ready: states["ready"] ?? .init(), deferred: states["deferred"] ?? .init(),
                held: states["held"] ?? .init()),
            domains: domains)
    }
}
