import ClusterModel
import MailModel
import QueueStore
import Synchronization

/// What the deliveries of this node do at this moment: told by them, and published for operators by `ActivityPublisher`.
///
/// Bounded by the deliveries and destinations at work, of which the node has limits.
package final class ActivityTable: Sendable {
    private let state = Mutex(ActivityState())

    /// An attempt begins.
    func began(_ entry: QueueEntry, epoch: Epoch, at now: Timestamp) {
        let attempt = AttemptUnderWay(key: entry.key, epoch: epoch, attempt: entry.attempts + 1, began: now)
        self.state.withLock { $0.attempts[entry.key] = attempt }
    }

    /// It does something else.
    func moved(_ key: EntryKey, to stage: AttemptUnderWay.Stage, host: String? = nil) {
        self.state.withLock { state in
            state.attempts[key]?.stage = stage
            state.attempts[key]?.host = host
        }
    }

    /// It is over.
    func ended(_ key: EntryKey) { self.state.withLock { $0.attempts[key] = nil } }

    /// The deliveries to a domain wait; a rest after a rest, for the same reason, is one.
    func rests(_ domain: DomainName, in term: ShardTerm, because reason: Postponement, at now: Timestamp) {
        self.state.withLock { $0.rests(domain, in: term, because: reason, at: now) }
    }

    /// They wait no more.
    func works(_ domain: DomainName, in term: ShardTerm) {
        let key = ActivityState.Place(shard: term.shard, domain: domain)
        self.state.withLock { $0.resting[key] = nil }
    }

    /// Nothing waits for the resolver any more.
    func resolverWorks() {
        self.state.withLock { state in
            state.resting = state.resting.filter { $0.value.reason != Postponement.resolver.word }
        }
    }

    /// What has lasted for some time.
    func snapshot(at now: Timestamp) -> ActivitySnapshot { self.state.withLock { $0.snapshot(at: now) } }
}

/// What a node says that it is busy with.
struct ActivitySnapshot: Hashable, Sendable {
    var underWay: [AttemptUnderWay] = []
    var resting: [RestingDestination] = []
}

/// Decides what of it is worth telling: an attempt of a moment is over before anybody has read of it.
struct ActivityState: Sendable {
    /// Where a destination is.
    struct Place: Hashable, Sendable {
        let shard: Shard
        let domain: DomainName
    }

    /// What is younger is not told.
    static let leastAge = Duration.seconds(2)
    /// The most attempts that are told, and the most destinations that rest: those of the longest time.
    static let most = 1000

    /// The most resting destinations that are known; the others are added when there is capacity.
    static let mostResting = 10_000

    var attempts: [EntryKey: AttemptUnderWay] = [:]
    var resting: [Place: RestingDestination] = [:]

    mutating func rests(_ domain: DomainName, in term: ShardTerm, because reason: Postponement, at now: Timestamp) {
        let key = Place(shard: term.shard, domain: domain)
        if let rest = self.resting[key], rest.reason == reason.word, rest.term == term { return }
        guard self.resting[key] != nil || self.resting.count < Self.mostResting else { return }
        self.resting[key] = RestingDestination(term: term, domain: domain, reason: reason.word, began: now)
    }

    func snapshot(at now: Timestamp) -> ActivitySnapshot {
        ActivitySnapshot(
            underWay: Self.oldest(self.attempts.values, at: now, by: \.began),
            resting: Self.oldest(self.resting.values, at: now, by: \.began))
    }

    private static func oldest<Value>(
        _ values: some Sequence<Value>, at now: Timestamp, by began: (Value) -> Timestamp
    ) -> [Value] {
        let old = values.filter { now - began($0) >= Self.leastAge }
        guard old.count > Self.most else { return old }
        return Array(old.sorted { began($0) < began($1) }.prefix(Self.most))
    }
}

extension Postponement {
    /// In a word, as operators' tools have it.
    var word: String {
        switch self {
        case .resolver: "resolver"
        case .network: "network"
        case .route: "route"
        case .rate: "rate"
        case .site: "site"
        }
    }
}
