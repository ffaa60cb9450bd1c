import ClusterModel
import OrderedCollections
package import QueueStore
import Synchronization

/// Hints of new mail, by which the writer saves the wait for the next poll.
///
/// What has come since hints were last taken is taken at once, each destination once: however many commits there were, a shard is
/// told once.
package final class DueHints: Sendable {
    typealias ByShard = OrderedDictionary<Shard, OrderedSet<DueEntry>>

    /// For who takes the hints. One waiting signal says all that more could say.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let waiting = Mutex((hints: ByShard(), count: 0))
    private let limit: Int

    /// - Parameter limit: the most hints that wait; one that is left out is found by the poll.
    package init(limit: Int = 4096) {
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.limit = limit
    }

    /// Mail has come, and is committed.
    package func add(_ due: [DueEntry]) {
        self.waiting.withLock { waiting in
            for entry in due where waiting.count < self.limit {
                if waiting.hints[entry.shard, default: []].append(entry).inserted { waiting.count += 1 }
            }
        }
        self.signal.yield()
    }

    /// All that wait, which wait no more.
    func take() -> ByShard { self.waiting.withLock { exchange(&$0, with: (hints: [:], count: 0)).hints } }
}
