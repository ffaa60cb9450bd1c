import ClusterModel
import DeliveryQueue
import MailModel
import PostgresDriver

@testable import QueueStore

/// The queue's contract in memory: what `QueueStore` promises of each transaction, one after the other.
///
/// It is written from the SQL, and compared with it: whatever a simulation did here is replayed on PostgreSQL.
struct ModelStore {
    struct LeaseRow: Hashable {
        var epoch: Int64 = 0
        var owner: StoreClient?
        var expiresAt: Timestamp?
    }

    struct NodeRow: Hashable {
        var run: Int
        /// `nil` is never.
        var seenAt: Timestamp?
    }

    struct MessageRow: Hashable {
        let sender: String
        let attributes: MessageAttributes
        let size: Int
        /// Entries that are left; at 0 the row is a tombstone.
        var remaining: Int
    }

    struct EntryRow: Hashable {
        let arrival: Timestamp
        var nextAttempt: Timestamp
        var attempts = 0
        let size: Int
        var recipients: [QueueRecipient]
        var isDelayNotified = false
        var lastStatus: String?
        var lastReason: String?
        var isDeferred = false
    }

    struct MessageKey: Hashable {
        let shard: Shard
        let message: MessageID
    }

    struct Totals: Hashable {
        var entries = 0
        var bytes = 0
    }

    struct Refusal: Error {
        let code: QueueStoreError.Code
        var stale: Set<ShardTerm> = []
    }

    let map: ShardMap
    let terms: LeaseTerms
    /// A rule that is broken on purpose, so that the checks can be seen to fail.
    let broken: BrokenRule?
    var leases: [LeaseRow]
    var nodes: [String: NodeRow] = [:]
    var messages: [MessageKey: MessageRow] = [:]
    var entries: [EntryKey: EntryRow] = [:]
    var attempts: [EntryKey: OpenAttempt] = [:]
    var backoffs: [DueEntry: DestinationBackoff] = [:]
    /// Running sums, changed by steps as the store changes its own.
    var ready = Totals()
    var deferred = Totals()

    init(map: ShardMap, terms: LeaseTerms, broken: BrokenRule? = nil) {
        self.map = map
        self.terms = terms
        self.broken = broken
        self.leases = Array(repeating: LeaseRow(), count: map.count)
    }

    /// Executes one transaction as a whole, or refuses it as a whole.
    mutating func perform(
        _ transaction: StoreTransaction, by client: StoreClient, at now: Timestamp
    ) -> StoreAnswer {
        let before = self
        do throws(Refusal) {
            return try self.execute(transaction, by: client, at: now)
        } catch {
            self = before
            return .refused(error.code, stale: error.stale)
        }
    }

    private mutating func execute(
        _ transaction: StoreTransaction, by client: StoreClient, at now: Timestamp
    ) throws(Refusal) -> StoreAnswer {
        switch transaction {
        case .register(let silent): try self.register(client, replacing: silent, at: now)
        case .unregister: self.unregister(client)
        case .sightNode: .node(self.sighting(of: client.name))
        case .time: .time(now)
        case .sightLeases(let shards): .leases(self.sightings(of: shards))
        case .acquire(let shards, let silent): self.acquire(shards, silent: silent, by: client, at: now)
        case .renew(let terms): self.renew(terms, by: client, at: now)
        case .release(let terms): self.release(terms, by: client)
        case .enqueue(let message): self.enqueue(message, at: now)
        case .lately(let terms, let moment): self.lately(terms, since: moment, at: now)
        case .walk(let terms, let cursor, let limit): self.walk(terms, after: cursor, limit: limit, at: now)
        case .claim(let term, let domain, let cursor, let count):
            try self.claim(term, domain, after: cursor, count: count, at: now)
        case .overdue(let term, let domain, let criteria, let cursor, let count):
            try self.overdue(term, domain, criteria, after: cursor, count: count, at: now)
        case .promote(let term): try self.promote(term, at: now)
        case .carry(let term): try self.carry(term)
        case .checkStorage: .done
        case .open(let attempts): try self.open(attempts, by: client, at: now)
        case .recordOutcomes(let outcomes): try self.recordOutcomes(outcomes, at: now)
        case .deliverLate(let outcome, let undelivered):
            self.deliverLate(outcome, undelivered: undelivered, by: client, at: now)
        case .survey: self.survey(at: now)
        }
    }

    /// Fails the transaction unless each shard is in its term.
    func fence(_ terms: [ShardTerm]) throws(Refusal) {
        guard self.broken != .noFence else { return }
        let stale = terms.filter { self.leases[Int($0.shard.rawValue)].epoch != $0.epoch.rawValue }
        if !stale.isEmpty { throw Refusal(code: .staleEpoch, stale: Set(stale)) }
    }

    /// Adds to the running sums, or takes from them.
    mutating func count(_ row: EntryRow, by sign: Int) {
        if row.isDeferred {
            self.deferred.entries += sign
            self.deferred.bytes += sign * row.size
        } else {
            self.ready.entries += sign
            self.ready.bytes += sign * row.size
        }
    }

    private func survey(at now: Timestamp) -> StoreAnswer {
        let totals: [QueueListing.Place: QueueSummary.Total] = [
            .ready: .init(entries: self.ready.entries, bytes: self.ready.bytes),
            .deferred: .init(entries: self.deferred.entries, bytes: self.deferred.bytes),
        ]
        // A table that never held anything has no sum, which is as good as one of nothing.
        let summary = StoredTotals(totals.filter { $0.value != .init() })
        let listing = self.entries.sorted { $0.key.order < $1.key.order }.map { key, row in
            var backoff = self.backoffs[DueEntry(shard: key.shard, destination: key.domain)]
            if backoff?.isInForce(at: now) == false { backoff = nil }
            return SurveyedEntry(
                key: key, isDeferred: row.isDeferred,
                sender: self.messages[MessageKey(shard: key.shard, message: key.message)]?.sender ?? "",
                recipients: row.recipients, size: row.size, arrival: row.arrival,
                nextAttempt: max(row.nextAttempt, backoff?.until ?? row.nextAttempt), attempts: row.attempts,
                lastStatus: row.lastStatus ?? (backoff?.failure.status).map { "\($0)" },
                lastReason: row.lastReason ?? backoff?.failure.reason.name)
        }
        return .survey(summary, listing)
    }
}
