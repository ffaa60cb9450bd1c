package import ClusterModel
package import MailModel
import QueueStore
import Synchronization

/// The leases that this node holds, as every delivery of it sees them.
///
/// Only the lease keeper writes. What a reader is told holds for the moment of asking, because a lease ends by itself.
package final class LeaseTable: Sendable {
    private let leases = Mutex<[Shard: Lease]>([:])
    private let time: any NodeClock

    /// No lease is held.
    package init(time: any NodeClock) { self.time = time }

    /// Replaces all leases, after an answer of the database.
    package func replace(_ leases: [Lease]) {
        self.leases.withLock { $0 = Dictionary(leases.map { ($0.shard, $0) }) { first, _ in first } }
    }

    /// Adds leases that were acquired.
    package func add(_ leases: [Lease]) {
        self.leases.withLock { for lease in leases { $0[lease.shard] = lease } }
    }

    /// Every lease, held or run out, by shard.
    package var all: [Lease] { self.leases.withLock { $0.values.sorted { $0.shard < $1.shard } } }

    /// The terms of the shards that are ours, by shard.
    package var terms: [ShardTerm] {
        let now = self.time.now
        return self.all.filter { $0.isHeld(at: now) }.map(\.term)
    }

    /// Whether the shard is still ours in this term.
    package func isHeld(_ term: ShardTerm) -> Bool {
        self.lease(of: term)?.isHeld(at: self.time.now) ?? false
    }

    /// Whether the final dot of a message of this shard may be written.
    package func permitsFinalDot(_ term: ShardTerm) -> Bool {
        self.lease(of: term)?.permitsFinalDot(at: self.time.now) ?? false
    }

    private func lease(of term: ShardTerm) -> Lease? {
        self.leases.withLock { $0[term.shard] }.flatMap { $0.epoch == term.epoch ? $0 : nil }
    }
}
