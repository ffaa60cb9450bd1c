import ClusterModel
import DeliveryQueue
import MailModel
import PostgresDriver

@testable import QueueStore

extension EntryKey {
    /// The order of keys in the store.
    var order: KeyOrder { KeyOrder(shard: self.shard, message: self.message, domain: self.domain.text) }
}

/// Sorts as the store's primary keys do.
struct KeyOrder: Comparable {
    let shard: Shard
    let message: MessageID
    let domain: String

    static func < (left: Self, right: Self) -> Bool {
        (left.shard, left.message.high, left.message.low, left.domain)
            < (right.shard, right.message.high, right.message.low, right.domain)
    }
}

// MARK: - Storing and reading

extension ModelStore {
    /// Stores what is not there yet, be it finished or not.
    @discardableResult
    mutating func enqueue(_ message: AcceptedMessage, at now: Timestamp) -> StoreAnswer {
        for shard in message.shards(in: self.map) {
            let key = MessageKey(shard: shard, message: message.id)
            guard self.messages[key] == nil else { continue }
            let entries = message.entries.filter { self.map.shard(for: $0.domain, message: message.id) == shard }
            self.messages[key] = MessageRow(
                sender: message.sender, attributes: message.attributes, size: message.size, remaining: entries.count)
            for entry in entries {
                let row = EntryRow(arrival: now, nextAttempt: now, size: message.size, recipients: entry.recipients)
                self.entries[EntryKey(shard: shard, message: message.id, domain: entry.domain)] = row
                self.count(row, by: 1)
            }
        }
        return .done
    }

    func claim(
        _ term: ShardTerm, _ domain: DomainName, after cursor: ClaimCursor?, count: Int, at now: Timestamp
    ) throws(Refusal) -> StoreAnswer {
        try self.fence([term])
        let page = self.dueEntries(term, domain, after: cursor, count: count, at: now)
        let backoff = self.backoffs[DueEntry(shard: term.shard, destination: domain)]
        return .claimed(
            ClaimedPage(
                entries: page, cursor: page.last?.cursor, backoff: backoff,
                isBackoffInForce: backoff?.isInForce(at: now) ?? false))
    }

    /// Looks at twice as many entries as it gives, when it is asked for few.
    func overdue(
        _ term: ShardTerm, _ domain: DomainName, _ criteria: OverdueCriteria, after cursor: ClaimCursor?, count: Int,
        at now: Timestamp
    ) throws(Refusal) -> StoreAnswer {
        try self.fence([term])
        let page = self.dueEntries(term, domain, after: cursor, count: 2 * count, at: now)
        let matching = page.filter { criteria.matches(arrival: $0.arrival, isDelayNotified: $0.isDelayNotified) }
        let given = Array(matching.prefix(count))
        let end = given.count == count ? given.last : page.count == 2 * count ? page.last : nil
        return .claimed(ClaimedPage(entries: given, cursor: end?.cursor))
    }

    private func dueEntries(
        _ term: ShardTerm, _ domain: DomainName, after cursor: ClaimCursor?, count: Int, at now: Timestamp
    ) -> [QueueEntry] {
        let due = self.entries.filter { key, row in
            key.shard == term.shard && key.domain == domain && !row.isDeferred && row.nextAttempt <= now
                && cursor.map { ClaimOrder($0) < ClaimOrder(row.nextAttempt, key.message) } ?? true
        }
        let sorted = due.sorted {
            ClaimOrder($0.value.nextAttempt, $0.key.message) < ClaimOrder($1.value.nextAttempt, $1.key.message)
        }
        return sorted.prefix(count).map { self.entry($0, $1) }
    }

    private func entry(_ key: EntryKey, _ row: EntryRow) -> QueueEntry {
        let message = self.messages[MessageKey(shard: key.shard, message: key.message)]
        return QueueEntry(
            key: key, sender: message?.sender ?? "", attributes: message?.attributes ?? MessageAttributes(),
            size: row.size, arrival: row.arrival, nextAttempt: row.nextAttempt, attempts: row.attempts,
            recipients: row.recipients, isDelayNotified: row.isDelayNotified, lastStatus: row.lastStatus,
            lastReason: row.lastReason, openAttempt: self.attempts[key], verdict: nil)
    }

    /// Brings deferred entries back that are due within two minutes.
    mutating func promote(_ term: ShardTerm, at now: Timestamp) throws(Refusal) -> StoreAnswer {
        try self.fence([term])
        let horizon = now + .seconds(120)
        let due = self.entries.filter { $0.shard == term.shard && $1.isDeferred && $1.nextAttempt <= horizon }
        for (key, row) in due {
            self.count(row, by: -1)
            self.entries[key]?.isDeferred = false
            self.entries[key].map { self.count($0, by: 1) }
        }
        return .promoted(due.count)
    }

    func carry(_ term: ShardTerm) throws(Refusal) -> StoreAnswer {
        try self.fence([term])
        return .done
    }
}

extension QueueEntry {
    fileprivate var cursor: ClaimCursor {
        ClaimCursor(nextAttempt: self.nextAttempt.stored, message: self.key.message)
    }
}

/// The order in which entries of one destination are claimed.
private struct ClaimOrder: Comparable {
    let nextAttempt: Int64
    let message: MessageID

    init(_ nextAttempt: Timestamp, _ message: MessageID) {
        self.nextAttempt = nextAttempt.microseconds
        self.message = message
    }

    init(_ cursor: ClaimCursor) { self.init(Timestamp(cursor.nextAttempt), cursor.message) }

    static func < (left: Self, right: Self) -> Bool {
        (left.nextAttempt, left.message.high, left.message.low)
            < (right.nextAttempt, right.message.high, right.message.low)
    }
}
