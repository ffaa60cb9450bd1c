import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

/// Sees everything, and compares it with what the product promises. It has no part in what happens.
final class Witness {
    let world: World
    let scenario: Scenario
    var entries: [EntryKey: EntryLife] = [:]
    var attempts: [AttemptName: AttemptLife] = [:]
    var encounters = Encounters()
    /// Who has each shard, and in which term.
    private var owners: [Shard: (epoch: Epoch, client: StoreClient)] = [:]
    var leases: [ModelStore.LeaseRow] = []
    var backoffs: [DueEntry: DestinationBackoff] = [:]
    var destinations: [DestinationTerm: DestinationLife] = [:]
    /// New mail that a node was told of, and that has caused no test delivery yet.
    var hints: Set<Hint> = []
    /// Attempts whose deliveries came too late for their nodes' terms, and which these have not asked to add yet.
    var lateDeliveries: Set<AttemptName> = []
    /// Counts what nodes report of attempts.
    var moment = 0
    /// The database's clock against true time, now and at its most.
    var clockOffset = Duration.zero
    var largestClockOffset = Duration.zero
    var hasClockJumped = false
    /// When the faults ended, by the database's clock.
    var troubleEnded: Timestamp?

    init(world: World, scenario: Scenario) {
        self.world = world
        self.scenario = scenario
    }

    func require(_ isKept: Bool, _ text: @autoclosure () -> String) {
        if !isKept { self.world.violate(text()) }
    }

    // MARK: - The store

    func executed(_ record: StoreRecord, store: ModelStore) {
        self.leases = store.leases
        self.backoffs = store.backoffs
        switch (record.transaction, record.answer) {
        case (.acquire, .terms(let terms)): for term in terms { self.granted(term, to: record.client) }
        case (.enqueue(let message), .done): self.stored(message, at: record.at)
        case (.claim(let term, _, _, _), .claimed(let page)):
            self.passed(term, record)
            for entry in page.entries { self.read(entry, in: term) }
        case (.overdue(let term, _, _, _, _), .claimed(let page)):
            self.passed(term, record)
            for entry in page.entries { self.read(entry, in: term) }
        case (.promote(let term), .promoted): self.passed(term, record)
        case (.open(let openings), .opened(let keys)): self.opened(openings, keys, record)
        case (.recordOutcomes(let outcomes), .done):
            for outcome in outcomes { self.recorded(outcome, record) }
        case (.deliverLate(let outcome, let undelivered), .late(isRecorded: true)):
            self.deliveredLate(outcome, undelivered, record)
        default: ()
        }
    }

    private func granted(_ term: ShardTerm, to client: StoreClient) {
        if let owner = self.owners[term.shard] {
            self.require(owner.epoch < term.epoch, "the epoch of shard \(term.shard) went back")
            if owner.client != client { self.encounters.count(.takeovers) }
        }
        self.owners[term.shard] = (term.epoch, client)
    }

    /// The fence let a transaction pass.
    func passed(_ term: ShardTerm, _ record: StoreRecord) {
        let owner = self.owners[term.shard]
        self.require(
            owner?.epoch == term.epoch && owner?.client == record.client,
            "\(record.client) passed the fence of shard \(term.shard) in e\(term.epoch.rawValue), which is over")
    }

    func stored(_ message: AcceptedMessage, at now: Timestamp) {
        for entry in message.entries {
            let shard = self.scenario.map.shard(for: entry.domain, message: message.id)
            let key = EntryKey(shard: shard, message: message.id, domain: entry.domain)
            guard self.entries[key] == nil else { continue }
            self.entries[key] = EntryLife(arrival: now, recipients: entry.recipients.map(\.address))
        }
    }

    private func read(_ entry: QueueEntry, in term: ShardTerm) {
        let known = self.entries[entry.key]?.attempts ?? 0
        self.require(entry.attempts >= known, "the attempts of \(entry.label) went back from \(known)")
        self.entries[entry.key]?.attempts = entry.attempts
        if let open = entry.interruptedAttempt, open.epoch < term.epoch { self.encounters.count(.interruptions) }
    }

    private func opened(_ openings: [AttemptOpening], _ keys: Set<EntryKey>, _ record: StoreRecord) {
        for opening in openings {
            let name = AttemptName(of: opening.entry, epoch: opening.epoch, by: record.client)
            self.passed(name.term, record)
            guard keys.contains(name.key) else { continue }
            self.attempts[name, default: AttemptLife()].isOpened = true
            self.entries[name.key]?.latest = name
        }
    }

    // MARK: - Time

    /// What a node may take for the time when the database's clock says `now`: nodes measure it now and then only.
    func latest(_ now: Timestamp) -> Timestamp { now + (self.largestClockOffset - self.clockOffset) }

    /// The database's clock is told with each transaction; between them it runs with true time.
    var databaseNow: Timestamp {
        Timestamp(seconds: 1_800_000_000) + self.clockOffset + (self.world.now - MonotonicInstant(nanoseconds: 0))
    }

    func clockJumped(by offset: Duration) {
        self.hasClockJumped = true
        self.clockOffset += offset
        self.largestClockOffset = max(self.largestClockOffset, self.clockOffset)
    }

    // MARK: - The end

    func troubleEnded(at now: Timestamp) { self.troubleEnded = now }

    /// All is quiet, or ought to be.
    func finish(_ store: ModelStore) {
        for (key, row) in store.entries.sorted(by: { $0.key.order < $1.key.order }) {
            self.world.violate("\(key.message.short)@\(key.domain) is stuck after \(row.attempts) attempts")
        }
        for (key, life) in self.entries.sorted(by: { $0.key.order < $1.key.order }) {
            for address in life.recipients where life.fates[address] == nil {
                self.world.violate("\(address) of \(key.message.short) is lost")
            }
        }
        let isEmpty = store.ready == .init() && store.deferred == .init()
        self.require(isEmpty, "the queue is empty, and counts \(store.ready) and \(store.deferred)")
    }
}
