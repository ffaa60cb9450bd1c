public import MailModel
import PostgresDriver

/// How much is in the queue, by what is true of it.
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

        static func + (left: Self, right: Self) -> Self {
            Self(entries: left.entries + right.entries, bytes: left.bytes + right.bytes)
        }

        /// Sums that were taken at different moments may be off for as long; none of them is negative.
        static func - (left: Self, right: Self) -> Self {
            Self(entries: max(0, left.entries - right.entries), bytes: max(0, left.bytes - right.bytes))
        }
    }

    /// Those of each state.
    public private(set) var totals: [QueueListing.State: Total]

    /// So many of each state.
    public init(_ totals: [QueueListing.State: Total]) { self.totals = totals }

    /// Those of one state.
    public subscript(state: QueueListing.State) -> Total { self.totals[state] ?? Total() }

    /// Due now.
    public var ready: Total { self[.ready] }
    /// In delivery.
    public var active: Total { self[.active] }
    /// Waiting for their time, or for that of their destination.
    public var deferred: Total { self[.deferred] }

    /// All that is stored.
    public var total: Total { self.totals.values.reduce(Total(), +) }
}

/// How much each table holds, by running sums.
struct StoredTotals: Hashable, Sendable {
    private(set) var totals: [QueueListing.Place: QueueSummary.Total] = [:]

    init(_ totals: [QueueListing.Place: QueueSummary.Total]) { self.totals = totals }

    subscript(place: QueueListing.Place) -> QueueSummary.Total { self.totals[place] ?? .init() }

    static let statement = Statement(
        "SELECT state, sum(messages)::int8, sum(bytes)::int8 FROM relay.queue_counter GROUP BY state")

    init(_ result: QueryResult) throws(QueueStoreError) {
        for row in result.rows {
            guard let place = QueueListing.Place(rawValue: try row.value(0)) else { continue }
            self.totals[place] = .init(
                entries: Int(try row.value(1, as: Int64.self)), bytes: Int(try row.value(2, as: Int64.self)))
        }
    }
}

/// Totals, with when the oldest message of each state that has any arrived.
public struct QueueOverview: Hashable, Sendable {
    /// How much there is.
    public let summary: QueueSummary
    /// When the oldest message of a state arrived.
    public let oldest: [QueueListing.State: Timestamp]
    /// How many destinations rest, by what they wait for, such as `resolver`.
    public let resting: [String: Int]

    package init(summary: QueueSummary, oldest: [QueueListing.State: Timestamp], resting: [String: Int]) {
        self.summary = summary
        self.oldest = oldest
        self.resting = resting
    }
}

extension QueueSummary {
    /// Adds sums up; their number does not grow with the queue.
    ///
    /// - Returns: the totals, and the arrival of the oldest of those that are active or wait in `ready`.
    static func read(
        _ pool: PostgresPool
    ) async throws(QueueStoreError) -> (summary: QueueSummary, oldest: [QueueListing.State: Timestamp]) {
        // One after the other in one transaction: what moves meanwhile is off by a moment.
        let results = try await pool.idempotently([
            StoredTotals.statement, Statement(EntryTruth.waitingSQL), Statement(EntryTruth.throttledSQL),
            Statement(EntryTruth.activeSQL),
        ])
        let stored = try StoredTotals(results[0])
        var oldest: [QueueListing.State: Timestamp] = [:]
        let waiting = try Self.total(results[1], .deferred, &oldest)
        let throttled = try Self.total(results[2], .deferred, &oldest)
        let active = try Self.total(results[3], .active, &oldest)
        // No more wait, or are under way, than are there; and every entry counts once.
        let present = stored[.ready]
        let ready = present - waiting - throttled - active
        let underWay = present - ready - waiting - throttled
        let summary = QueueSummary([
            .ready: ready, .active: underWay, .held: stored[.held],
            .deferred: stored[.deferred] + (present - ready - underWay),
        ])
        return (summary, oldest)
    }

    private static func total(
        _ result: QueryResult, _ state: QueueListing.State, _ oldest: inout [QueueListing.State: Timestamp]
    ) throws(QueueStoreError) -> Total {
        let row = try QueueStore.only(result)
        if let arrival: PostgresTimestamp = try row.value(2, as: PostgresTimestamp?.self) {
            oldest[state] = min(oldest[state] ?? Timestamp(arrival), Timestamp(arrival))
        }
        return Total(
            entries: Int(try row.value(0, as: Int64?.self) ?? 0), bytes: Int(try row.value(1, as: Int64?.self) ?? 0))
    }
}

extension QueueOverview {
    /// Totals by running sums, and the oldest of each state by look-ups: no scan, however long the queue.
    ///
    /// Ids begin with the time at which a node made them, so the first key of each shard is its oldest. Clocks of nodes
    /// that differ can make it as much newer. Of what is due, only the first hundred of each shard, by arrival and by
    /// time, are looked at.
    static func read(_ pool: PostgresPool) async throws(QueueStoreError) -> QueueOverview {
        var (summary, oldest) = try await QueueSummary.read(pool)
        let looks: [(QueueListing.State, String)] = [
            (.deferred, EntryTruth.oldestSQL("deferred")), (.held, EntryTruth.oldestSQL("held")),
            (.ready, EntryTruth.oldestReadySQL("message_id, domain")),
            (.ready, EntryTruth.oldestReadySQL("next_attempt_at")),
        ]
        for (state, sql) in looks {
            let results = try await pool.idempotently([
                // A plan that was made while there was next to nothing would go through all that has come since, or sort it.
                Statement("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)"),
                Statement(sql),
            ])
            let arrival: PostgresTimestamp? = try QueueStore.only(results[1]).value(0)
            guard let arrival else { continue }
            oldest[state] = min(oldest[state] ?? Timestamp(arrival), Timestamp(arrival))
        }
        let results = try await pool.idempotently([Statement(EntryTruth.restingSQL)])
        var resting: [String: Int] = [:]
        for row in results[0].rows { resting[try row.value(0)] = Int(try row.value(1, as: Int64.self)) }
        return QueueOverview(summary: summary, oldest: oldest, resting: resting)
    }
}

extension QueueStore {
    /// The totals, from running sums: no scan.
    public func summary() async throws(QueueStoreError) -> QueueSummary {
        try await QueueSummary.read(self.pool).summary
    }

    /// The totals with the oldest of each state, and what destinations wait for.
    public func overview() async throws(QueueStoreError) -> QueueOverview { try await QueueOverview.read(self.pool) }

    /// What each table holds: less work, for whoever asks every few seconds how full the queue is.
    public func storedTotal() async throws(QueueStoreError) -> QueueSummary.Total {
        let totals = try await self.storedTotals()
        return totals[.ready] + totals[.deferred] + totals[.held]
    }

    func storedTotals() async throws(QueueStoreError) -> StoredTotals {
        try StoredTotals(try await self.pool.idempotently([StoredTotals.statement])[0])
    }
}

extension QueueAdministration {
    /// The totals with the oldest of each state, and what destinations wait for.
    public func overview() async throws(QueueStoreError) -> QueueOverview { try await QueueOverview.read(self.pool) }
}
