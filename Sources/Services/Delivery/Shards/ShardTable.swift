import ClusterModel
import MailModel
import QueueStore

/// The shards that this node works on, each in its present term.
actor ShardTable {
    private let makeShard: @Sendable (ShardTerm) -> QueueShard
    private var shards: [Shard: (term: ShardTerm, shard: QueueShard)] = [:]
    private var isStopping = false

    /// - Parameter makeShard: begins a shard in a term of our ownership.
    init(makeShard: @escaping @Sendable (ShardTerm) -> QueueShard) { self.makeShard = makeShard }

    /// Works on these terms and no others from now on.
    func own(_ terms: [ShardTerm]) async {
        guard !self.isStopping else { return }
        let owned = Set(terms)
        let lost = self.inOrder.filter { !owned.contains($0.term) }
        for (term, _) in lost { self.shards[term.shard] = nil }
        for term in terms where self.shards[term.shard] == nil {
            self.shards[term.shard] = (term, self.makeShard(term))
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
