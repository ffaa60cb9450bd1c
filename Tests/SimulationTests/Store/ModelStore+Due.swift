import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

// MARK: - Finding work

extension ModelStore {
    /// How long before the last look a row may have been due, and was not committed yet.
    private static let overlap = Duration.seconds(30)

    /// What became due since an earlier look, and what ceased to be held back.
    func lately(_ terms: [ShardTerm], since moment: Timestamp?, at now: Timestamp) -> StoreAnswer {
        let shards = Set(terms.map(\.shard))
        let begin = (moment ?? now) + (.zero - Self.overlap)
        var due: Set<DueEntry> = []
        for (key, row) in self.entries where !row.isDeferred && shards.contains(key.shard) {
            let destination = DueEntry(shard: key.shard, destination: key.domain)
            if row.nextAttempt <= now, row.nextAttempt > begin, self.isFree(destination, at: now) {
                due.insert(destination)
            }
        }
        for (destination, backoff) in self.backoffs where shards.contains(destination.shard) {
            if backoff.until <= now, backoff.until > begin { due.insert(destination) }
        }
        return .lately(due.inOrder, now)
    }

    /// A page of all destinations with entries that are not deferred: through the shards side by side, each by name.
    func walk(_ terms: [ShardTerm], after cursor: DueCursor?, limit: Int, at now: Timestamp) -> StoreAnswer {
        var last = cursor?.last ?? [:]
        var visited: [DueEntry] = []
        var shards = terms.map(\.shard)
        while !shards.isEmpty, visited.count < limit {
            shards = shards.filter { shard in
                guard visited.count < limit, let next = self.destination(of: shard, after: last[shard]) else {
                    return false
                }
                last[shard] = next.destination.text
                visited.append(next)
                return true
            }
        }
        let due = visited.filter { self.isDue($0, at: now) && self.isFree($0, at: now) }
        return .walked(Set(due).inOrder, visited.count < limit ? nil : DueCursor(last: last))
    }

    private func destination(of shard: Shard, after name: String?) -> DueEntry? {
        let names = self.entries.filter { $0.shard == shard && !$1.isDeferred && $0.domain.text > name ?? "" }
        return names.keys.map(\.domain).min { $0.text < $1.text }.map { DueEntry(shard: shard, destination: $0) }
    }

    private func isDue(_ destination: DueEntry, at now: Timestamp) -> Bool {
        self.entries.contains {
            $0.shard == destination.shard && $0.domain == destination.destination && !$1.isDeferred
                && $1.nextAttempt <= now
        }
    }

    /// Not held back.
    private func isFree(_ destination: DueEntry, at now: Timestamp) -> Bool {
        self.backoffs[destination]?.isInForce(at: now) != true
    }
}

extension Set<DueEntry> {
    /// By shard and name.
    var inOrder: [DueEntry] {
        self.sorted { ($0.shard, $0.destination.text) < ($1.shard, $1.destination.text) }
    }
}
