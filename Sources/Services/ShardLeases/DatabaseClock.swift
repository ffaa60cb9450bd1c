package import MailModel
package import QueueStore
import Synchronization

/// The database's clock, as far as this node knows it: measured now and then, and reckoned between on a clock that nobody
/// sets. Arrival and retry times are the database's, so a node whose own clock is wrong does no harm.
package final class DatabaseClock: Sendable {
    private let reference: Mutex<(time: Timestamp, at: MonotonicInstant)>

    private let time: any NodeClock

    /// A clock set by one measurement, and reckoned on by `time`.
    package init(store: any LeaseStore, time: any NodeClock) async throws(QueueStoreError) {
        self.time = time
        self.reference = Mutex((try await store.databaseTime(), time.now))
    }

    /// Measures again.
    func synchronise(with store: any LeaseStore) async throws(QueueStoreError) {
        let time = try await store.databaseTime()
        self.reference.withLock { $0 = (time, self.time.now) }
    }

    /// The time now.
    package var now: Timestamp {
        let (time, measured) = self.reference.withLock { $0 }
        return time + (self.time.now - measured)
    }
}
