import ClusterModel
import DatabaseHealth
import MailModel

@testable import EdgeNode
@testable import QueueStore

/// What the nodes of one world share.
struct NodeSurroundings {
    let scenario: Scenario
    let database: SimulatedDatabase
    let peers: [DomainName: SimulatedPeer]
    let witness: Witness
    let broken: BrokenRule?
}

/// One run of `relayd`: it decides with the product's own values, and takes the product's steps in the product's order.
/// Each part says whose. This one is `DeliveryService` and `ShardTable`.
final class SimulatedNode: SimulatedProcess {
    let client: StoreClient
    let surroundings: NodeSurroundings
    private(set) lazy var link = DatabaseLink(
        self, client: self.client, database: self.surroundings.database, unit: self.unit)
    private(set) lazy var store = SimulatedStore(self.link)
    private(set) lazy var monitor = SimulatedMonitor(self)
    private(set) lazy var ledger = SimulatedLedger(self.store, monitor: self.monitor)
    private(set) lazy var leases = SimulatedLeases(self)
    private lazy var finder = SimulatedFinder(self)
    private var shards: [Shard: SimulatedShard] = [:]
    private(set) var isStopping = false
    private var isCutOff = false
    /// Entries that are being attempted or concluded, in each term.
    private var underWay: [ShardTerm: Set<EntryKey>] = [:]

    var scenario: Scenario { self.surroundings.scenario }
    var witness: Witness { self.surroundings.witness }
    var unit: Duration { self.scenario.unit }

    init(_ client: StoreClient, world: World, surroundings: NodeSurroundings) {
        self.client = client
        self.surroundings = surroundings
        super.init(world: world)
    }

    // MARK: - From beginning to end

    /// Without a first look at the database's clock, and before it is registered, nothing begins.
    func start() {
        self.leases.measureClock { isMeasured in
            guard isMeasured else { return self.after(self.unit / 2) { self.start() } }
            self.monitor.run()
            self.leases.register {
                guard !self.isStopping else { return }
                self.leases.run()
                self.finder.run()
                self.finder.promote()
            }
        }
    }

    /// A client sends a message; `true` is 250. The hint saves the wait for the poll.
    func accept(_ message: AcceptedMessage) {
        guard !self.isStopping, self.monitor.isOpen else { return }
        self.store.enqueue(message) { result in
            switch result {
            case .failure(let error): self.monitor.report(error)
            case .success:
                self.monitor.report(.wrote)
                self.witness.accepted(message)
                if !self.isStopping { self.finder.hinted(message) }
            }
        }
    }

    /// SIGTERM: begins nothing more, finishes what is under way, but not for ever, and gives the leases back. Renewal goes on
    /// to the end.
    func stop() {
        guard !self.isStopping else { return }
        self.isStopping = true
        for (_, shard) in self.shards.sorted(by: { $0.key < $1.key }) { shard.stop() }
        self.awaitDeliveries(until: self.now + self.unit * 20)
    }

    private func awaitDeliveries(until deadline: MonotonicInstant) {
        guard self.shards.values.allSatisfy(\.isIdle) || self.now >= deadline else {
            return self.after(self.unit / 4) { self.awaitDeliveries(until: deadline) }
        }
        // What takes longer is cut off: its attempt is on record, and another owner goes on with it.
        self.isCutOff = true
        self.leases.release { self.kill() }
    }

    // MARK: - Shards

    /// Works on these terms and no others from now on.
    func own(_ terms: [ShardTerm]) {
        guard !self.isStopping else { return }
        let lost = self.shards.values.filter { !terms.contains($0.term) }.sorted { $0.term.shard < $1.term.shard }
        for shard in lost { self.shards[shard.term.shard] = nil }
        for term in terms where self.shards[term.shard] == nil {
            self.shards[term.shard] = SimulatedShard(node: self, term: term)
        }
        for shard in lost { shard.stop() }
    }

    func due(_ entry: DueEntry) { self.shards[entry.shard]?.due(entry.destination) }

    func arrived(_ entry: DueEntry) { self.shards[entry.shard]?.arrived(entry.destination) }

    /// Destinations that are at work.
    var places: Int { self.shards.values.reduce(0) { $0 + $1.places } }

    // MARK: - What deliveries ask

    /// Whether attempts may begin in this term: the shard is ours, and the database is well.
    func mayWork(in term: ShardTerm) -> Bool { self.monitor.isOpen && self.leases.isHeld(term) }

    func permitsFinalDot(_ term: ShardTerm) -> Bool { !self.isCutOff && self.leases.permitsFinalDot(term) }

    /// The database's clock, as far as this node knows it.
    var databaseNow: Timestamp { self.leases.databaseNow }

    // MARK: - Checks

    /// An entry is dealt with by one part of a node at a time; what an earlier term of ours has left is as another node's.
    func begins(_ entry: QueueEntry, in term: ShardTerm) {
        guard self.underWay[term, default: []].insert(entry.key).inserted else {
            return self.world.violate("\(self.client) has \(entry.label) under way twice")
        }
    }

    func ends(_ entry: QueueEntry, in term: ShardTerm) { self.underWay[term]?.remove(entry.key) }
}
