import ClusterModel
import DeliveryQueue
import LabSupport
import MailModel

@testable import QueueStore

/// Two nodes that do whatever comes to mind, right or wrong, on the model. They run transactions in any order, with
/// entries and terms that may be out of date, at times that go forth and sometimes back.
///
/// It reaches what no node of the simulation would do, and so finds what the model forgot of the contract.
struct RandomHistory {
    private var random: SplitMix
    private var store: ModelStore
    private var now = Timestamp(seconds: 1_800_000_000)
    private var seen: [QueueEntry] = []
    private var known: [ShardTerm] = []
    /// Where the last claim of each destination came to.
    private var cursors: [DomainName: ClaimCursor] = [:]
    /// What was last seen of leases and of a node.
    private var sighted: [Shard: LeaseSighting] = [:]
    private var sightedNode: NodeSight?
    /// Where the last walk came to.
    private var walked: DueCursor?
    private(set) var records: [StoreRecord] = []

    static let domains = ["alpha.test", "bravo.test", "charlie.test"].compactMap { DomainName($0) }

    init(seed: UInt64, length: Int, store: ModelStore) {
        self.random = SplitMix(seed: seed)
        self.store = store
        for _ in 0..<length {
            self.tick()
            self.perform(self.transaction())
            if self.chance(10) { self.perform(.survey) }
        }
        self.perform(.survey)
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self.random) < percent }

    private mutating func tick() {
        switch Int.random(in: 0..<20, using: &self.random) {
        case 0: self.now = self.now + self.random.duration(.seconds(0) ... .seconds(3600))
        case 1: self.now = self.now + (.zero - self.random.duration(.seconds(0) ... .seconds(600)))
        default: self.now = self.now + self.random.duration(.seconds(0) ... .seconds(4))
        }
    }

    private mutating func perform(_ transaction: StoreTransaction) {
        let client = StoreClient(
            name: self.chance(50) ? "node-a" : "node-b", run: Int.random(in: 1...2, using: &self.random))
        let answer = self.store.perform(transaction, by: client, at: self.now)
        switch (transaction, answer) {
        case (_, .terms(let terms)): self.known = Array((self.known + terms).suffix(12))
        case (.claim(_, let domain, _, _), .claimed(let page)), (.overdue(_, let domain, _, _, _), .claimed(let page)):
            self.seen = Array((self.seen + page.entries).suffix(20))
            self.cursors[domain] = page.cursor
        case (_, .walked(_, let cursor)): self.walked = cursor
        case (_, .leases(let sightings)): self.sighted = sightings
        case (_, .node(let sight)): self.sightedNode = sight
        default: ()
        }
        self.records.append(
            StoreRecord(at: self.now, client: client, transaction: transaction, answer: answer))
    }

    // MARK: - What is done

    private mutating func transaction() -> StoreTransaction {
        let shards = self.store.map.shards.filter { _ in self.chance(60) }
        let term = self.term(of: self.store.map.shards.randomElement(using: &self.random))
        let domain = Self.domains[Int.random(in: 0..<Self.domains.count, using: &self.random)]
        switch Int.random(in: 0..<20, using: &self.random) {
        case 0: return self.registration()
        case 1: return self.chance(20) ? .unregister : self.chance(20) ? .checkStorage : .time
        case 2: return self.chance(30) ? .sightLeases(shards) : .acquire(shards, silent: self.sighted)
        case 3: return .renew(self.known.filter { _ in self.chance(50) }.uniqued())
        case 4: return self.chance(25) ? .release(Array(self.known.suffix(1))) : self.maintenance(term)
        case 5, 6, 7: return .enqueue(self.message())
        case 8: return self.chance(50) ? self.look(shards) : self.overdue(term, domain)
        case 9, 10, 11, 12:
            let cursor = self.chance(30) ? self.cursors[domain] : nil
            return .claim(term, domain, after: cursor, count: Int.random(in: 1...3, using: &self.random))
        case 13, 14, 15:
            return .open(self.entries().map { AttemptOpening(entry: $0, epoch: self.term(of: $0.key.shard).epoch) })
        case 16, 17, 18: return .recordOutcomes(self.entries().map { self.outcome($0) })
        default:
            guard let entry = self.entries().first else { return .time }
            let undelivered = self.chance(50) ? Array(entry.recipients.dropFirst()) : []
            return .deliverLate(self.outcome(entry), undelivered: undelivered)
        }
    }

    private mutating func registration() -> StoreTransaction {
        self.chance(30) ? .sightNode : .register(replacing: self.chance(50) ? self.sightedNode : nil)
    }

    private mutating func maintenance(_ term: ShardTerm) -> StoreTransaction {
        self.chance(40) ? .carry(term) : .promote(term)
    }

    private mutating func look(_ shards: [Shard]) -> StoreTransaction {
        let terms = shards.map { ShardTerm(shard: $0, epoch: Epoch(rawValue: 1)) }
        if self.chance(50) {
            let moment = self.now + (.zero - self.random.duration(.seconds(0) ... .seconds(120)))
            return .lately(terms, since: self.chance(80) ? moment : nil)
        }
        let cursor = self.chance(60) ? self.walked : nil
        return .walk(terms, after: cursor, limit: Int.random(in: 1...4, using: &self.random))
    }

    /// The term of a shard, or, now and then, one that is over.
    private mutating func term(of shard: Shard?) -> ShardTerm {
        let shard = shard ?? Shard(rawValue: 0)
        let epoch = self.store.leases[Int(shard.rawValue)].epoch
        return ShardTerm(shard: shard, epoch: Epoch(rawValue: self.chance(10) ? epoch - 1 : epoch))
    }

    /// One entry or two that were claimed some time ago.
    private mutating func entries() -> [QueueEntry] {
        let count = self.chance(30) ? 2 : 1
        let chosen = (0..<count).compactMap { _ in self.seen.suffix(6).randomElement(using: &self.random) }
        return chosen.count == 2 && chosen[0].key == chosen[1].key ? [chosen[0]] : chosen
    }

    private mutating func message() -> AcceptedMessage {
        let count = self.chance(30) ? 2 : 1
        let entries = Self.domains.shuffled(using: &self.random).prefix(count).map { domain in
            AcceptedEntry(
                domain: domain,
                recipients: ["bob", "eve"].map { QueueRecipient(address: "\($0)@\(domain)", notify: "DELAY") })
        }
        let id = MessageID(at: self.now, random: .random(in: .min ... .max, using: &self.random))
        return AcceptedMessage(id: id, sender: "alice@alpha.test", entries: entries, body: .inline([13, 10]))
    }

    private mutating func overdue(_ term: ShardTerm, _ domain: DomainName) -> StoreTransaction {
        let ages = [
            self.random.duration(.seconds(1) ... .seconds(600)), self.random.duration(.seconds(1) ... .seconds(9000)),
        ]
        guard
            let schedule = RetrySchedule(
                delays: [.seconds(60)], lifetime: ages[1], delayNotice: self.chance(80) ? ages[0] : nil)
        else { return .time }
        return .overdue(
            term, domain, OverdueCriteria(schedule, after: .general, now: self.now),
            after: self.chance(30) ? self.cursors[domain] : nil, count: Int.random(in: 1...2, using: &self.random))
    }

    private mutating func change(_ failure: DeliveryFailure) -> DestinationChange? {
        let wait = self.random.duration(.seconds(0) ... .seconds(30))
        if self.chance(50) { return nil }
        if self.chance(50) { return .opened }
        return .blocked(
            DestinationBackoff(
                failure: failure, failures: Int.random(in: 1...9, using: &self.random), since: self.now,
                until: self.now + wait))
    }

    private mutating func outcome(_ entry: QueueEntry) -> RecordedOutcome {
        let failure = DeliveryFailure(
            failureClass: self.chance(50) ? .general : .security,
            status: EnhancedStatusCode(.persistentTransientFailure, 4, 2), reason: .connectionLost, text: "lost",
            reply: self.chance(50) ? "451 4.4.2 no" : nil, host: self.chance(50) ? "mx" : nil)
        let wait = self.random.duration(.seconds(1) ... .seconds(2 * 3600))
        let result: RecordedOutcome.Result =
            self.chance(40)
            ? .removed
            : .retry(
                at: self.now + wait, recipients: Array(entry.recipients.suffix(1)), because: failure,
                isDelayNotified: self.chance(50))
        var outcome = RecordedOutcome(
            entry: entry, epoch: self.term(of: entry.key.shard).epoch, result: result, events: [],
            notifications: self.chance(20) ? [self.message()] : [])
        outcome.destinationChange = self.change(failure)
        return outcome
    }
}

extension Array where Element: Hashable {
    /// The first of equals.
    fileprivate func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return self.filter { seen.insert($0).inserted }
    }
}
