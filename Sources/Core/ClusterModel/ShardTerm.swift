/// A shard, and the term in which it is ours.
public struct ShardTerm: Hashable, Sendable {
    /// The shard.
    public let shard: Shard
    /// The term.
    public let epoch: Epoch
    /// A term of ownership.
    public init(shard: Shard, epoch: Epoch) {
        self.shard = shard
        self.epoch = epoch
    }
}

extension Lease {
    /// What the fence checks.
    public var term: ShardTerm { ShardTerm(shard: self.shard, epoch: self.epoch) }
}
