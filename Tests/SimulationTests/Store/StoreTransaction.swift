import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

/// One run of a node, as the queue tells it from others.
struct StoreClient: Hashable, CustomStringConvertible {
    let name: String
    /// Which run of the node of this name, from 1.
    let run: Int

    var description: String { "\(self.name)#\(self.run)" }
}

/// One transaction of the queue, with the arguments that `QueueStore` has for it.
enum StoreTransaction {
    case register(replacing: NodeSight? = nil)
    case unregister
    case sightNode
    case time
    case sightLeases([Shard])
    case acquire([Shard], silent: [Shard: LeaseSighting] = [:])
    case renew([ShardTerm])
    case release([ShardTerm])
    case enqueue(AcceptedMessage)
    case lately([ShardTerm], since: Timestamp?)
    case walk([ShardTerm], after: DueCursor?, limit: Int = 5000)
    case claim(ShardTerm, DomainName, after: ClaimCursor?, count: Int)
    case overdue(ShardTerm, DomainName, OverdueCriteria, after: ClaimCursor?, count: Int = 64)
    case promote(ShardTerm)
    /// Entries change partitions, which nobody sees.
    case carry(ShardTerm)
    /// Whether mail fits.
    case checkStorage
    case open([AttemptOpening])
    case recordOutcomes([RecordedOutcome])
    case deliverLate(RecordedOutcome, undelivered: [QueueRecipient])
    /// What an operator would see: the running totals, and all entries.
    case survey
}

/// An attempt that is about to be made.
struct AttemptOpening {
    let entry: QueueEntry
    let epoch: Epoch
}

/// What came of a transaction. Whatever has no order is sorted.
enum StoreAnswer: Hashable {
    case done
    case refused(QueueStoreError.Code, stale: Set<ShardTerm> = [])
    case time(Timestamp)
    case terms([ShardTerm])
    case node(NodeSight?)
    case leases([Shard: LeaseSighting])
    case lately([DueEntry], Timestamp)
    case walked([DueEntry], DueCursor?)
    case claimed(ClaimedPage)
    case opened(Set<EntryKey>)
    case promoted(Int)
    case late(isRecorded: Bool)
    case survey(StoredTotals, [SurveyedEntry])
}

/// One entry, as an operator sees it; as in `QueueListing`, without what operators alone can change.
struct SurveyedEntry: Hashable {
    let key: EntryKey
    let isDeferred: Bool
    let sender: String
    let recipients: [QueueRecipient]
    let size: Int
    let arrival: Timestamp
    let nextAttempt: Timestamp?
    let attempts: Int
    let lastStatus: String?
    let lastReason: String?
}

/// The run of a node that is in the list; as in `NodeSighting`.
struct NodeSight: Hashable {
    let client: StoreClient
    /// `nil` is never.
    let seenAt: Timestamp?
}

/// Entries that were read, and the row of their destination; as in `Claim`.
struct ClaimedPage: Hashable {
    let entries: [QueueEntry]
    let cursor: ClaimCursor?
    var backoff: DestinationBackoff?
    var isBackoffInForce = false
}

/// A transaction that was executed, in its place.
struct StoreRecord {
    let at: Timestamp
    let client: StoreClient
    let transaction: StoreTransaction
    let answer: StoreAnswer
}

extension StoreTransaction {
    /// It writes rows anew.
    var takesSpace: Bool {
        switch self {
        case .enqueue, .open, .recordOutcomes, .deliverLate, .promote, .carry, .checkStorage: true
        case .register, .unregister, .sightNode, .time, .sightLeases, .acquire, .renew, .release: false
        case .lately, .walk, .claim, .overdue, .survey: false
        }
    }
}

// MARK: - Text for journals

extension StoreTransaction: CustomStringConvertible {
    var description: String {
        switch self {
        case .register(let silent): "register\(silent.map { " in place of \($0.client)" } ?? "")"
        case .unregister: "unregister"
        case .sightNode: "who has our name"
        case .time: "time"
        case .sightLeases(let shards): "who has \(shards.map(\.description).joined(separator: " "))"
        case .acquire(let shards, let silent):
            "acquire \(shards.map(\.description).joined(separator: " "))"
                + (silent.isEmpty ? "" : ", silent \(silent.keys.sorted().map(\.description).joined(separator: " "))")
        case .renew(let terms): "renew \(Self.text(terms))"
        case .release(let terms): "release \(Self.text(terms))"
        case .enqueue(let message):
            "enqueue \(message.id.short) for \(message.entries.map(\.domain.text).joined(separator: " "))"
        case .lately(let terms, let moment): "lately \(Self.text(terms))\(moment.map { " since \($0)" } ?? "")"
        case .walk(let terms, let cursor, _): "walk \(Self.text(terms))\(cursor == nil ? "" : " on")"
        case .claim(let term, let domain, let cursor, let count):
            "claim \(Self.text([term])) \(domain) \(count)\(cursor == nil ? "" : " on")"
        case .overdue(let term, let domain, _, let cursor, _):
            "overdue \(Self.text([term])) \(domain)\(cursor == nil ? "" : " on")"
        case .promote(let term): "promote \(Self.text([term]))"
        case .carry(let term): "carry over \(Self.text([term]))"
        case .checkStorage: "storage check"
        case .open(let attempts):
            "open \(attempts.map { "\($0.entry.label) e\($0.epoch.rawValue)" }.joined(separator: ", "))"
        case .recordOutcomes(let outcomes): "record \(outcomes.map(\.label).joined(separator: ", "))"
        case .deliverLate(let outcome, let undelivered):
            "deliver late \(outcome.label), \(undelivered.count) left"
        case .survey: "survey"
        }
    }

    private static func text(_ terms: [ShardTerm]) -> String {
        terms.map { "\($0.shard)e\($0.epoch.rawValue)" }.joined(separator: " ")
    }
}

extension StoreAnswer: CustomStringConvertible {
    var description: String {
        switch self {
        case .done: "done"
        case .refused(let code, let stale):
            "refused: \(code.rawValue) \(Self.text(stale.sorted { $0.shard < $1.shard }))"
        case .time(let time): "\(time)"
        case .node(let sight): sight.map { "\($0.client)" } ?? "nobody"
        case .leases(let sightings):
            sightings.sorted { $0.key < $1.key }.map { "\($0.key)e\($0.value.epoch.rawValue)" }.joined(separator: " ")
        case .terms(let terms): Self.text(terms)
        case .lately(let due, _), .walked(let due, _):
            due.map { "\($0.shard)/\($0.destination)" }.joined(separator: " ")
        case .claimed(let page):
            page.entries.map { $0.label + ($0.interruptedAttempt == nil ? "" : " interrupted") }.joined(separator: ", ")
                + (page.backoff.map { " in backoff until \($0.until)" } ?? "")
        case .opened(let keys): keys.map(\.message.short).sorted().joined(separator: " ")
        case .promoted(let count): "\(count)"
        case .late(let isRecorded): isRecorded ? "recorded" : "too late"
        case .survey(let summary, _): "\(summary[.ready].entries) ready, \(summary[.deferred].entries) deferred"
        }
    }

    private static func text(_ terms: [ShardTerm]) -> String {
        terms.map { "\($0.shard)e\($0.epoch.rawValue)" }.joined(separator: " ")
    }
}

extension MessageID {
    /// The last characters, which are enough to tell the messages of one run apart.
    var short: String { String("\(self)".suffix(5)) }
}

extension QueueEntry {
    /// Message and attempts so far.
    var label: String { "\(self.key.message.short)@\(self.key.domain)+\(self.attempts)" }
}

extension RecordedOutcome {
    fileprivate var label: String {
        switch self.result {
        case .removed: "\(self.entry.label) removed e\(self.epoch.rawValue)"
        case .retry(let at, let recipients, _, _):
            "\(self.entry.label) e\(self.epoch.rawValue) \(recipients.count) again at \(at)"
        }
    }
}
