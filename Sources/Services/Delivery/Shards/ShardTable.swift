import ClusterModel
import DeliveryQueue
import MailModel
import NIOCore
import QueueStore
import ServiceSupport

/// The shards that this node works on, each in its present term.
actor ShardTable {
    private let environment: DeliveryEnvironment
    private let supervisor: TaskSupervisor
    private let eventLoops: [any EventLoop]
    private let blocked: BlockedDomains
    private var shards: [Shard: (term: ShardTerm, shard: QueueShard)] = [:]
    private var isStopping = false

    init(
        environment: DeliveryEnvironment, supervisor: TaskSupervisor, eventLoops: [any EventLoop],
        blocked: BlockedDomains = BlockedDomains()
    ) {
        self.blocked = blocked
        self.environment = environment
        self.supervisor = supervisor
        self.eventLoops = eventLoops
    }

    /// Works on these terms and no others from now on.
    func own(_ terms: [ShardTerm]) async {
        guard !self.isStopping else { return }
        let owned = Set(terms)
        let lost = self.inOrder.filter { !owned.contains($0.term) }
        for (term, _) in lost { self.shards[term.shard] = nil }
        for term in terms where self.shards[term.shard] == nil {
            let shard = QueueShard(
                environment: self.environment, term: term, supervisor: self.supervisor,
                eventLoops: self.eventLoops, blocked: self.blocked)
            self.shards[term.shard] = (term, shard)
        }
        for (_, shard) in lost { await shard.stop() }
    }

    /// Has an entry's destination look for work, if its shard is ours. `false` when there is no slot for it now.
    func due(_ entry: DueEntry) async -> Bool {
        await self.shards[entry.shard]?.shard.due(entry.destination) ?? true
    }

    /// The walk has come to an entry's destination, which looks for work, if its shard is ours. `false` when there is no slot for
    /// it now.
    func walked(_ entry: DueEntry) async -> Bool {
        await self.shards[entry.shard]?.shard.walked(entry.destination) ?? true
    }

    /// New mail has come for destinations of a shard, if that is ours.
    func arrived(_ domains: [DomainName], in shard: Shard) async {
        await self.shards[shard]?.shard.arrived(domains)
    }

    /// Other rules of operators are in force: what is at work obeys them.
    func heedRules() async {
        for (_, shard) in self.inOrder { await shard.heedRules() }
    }

    /// Begins no further message in any shard.
    func stop() async {
        self.isStopping = true
        for (_, shard) in self.inOrder { await shard.stop() }
    }

    /// By number, so that a run with the same clock and the same chance does the same.
    private var inOrder: [(term: ShardTerm, shard: QueueShard)] {
        self.shards.values.sorted { $0.term.shard < $1.term.shard }
    }
}
