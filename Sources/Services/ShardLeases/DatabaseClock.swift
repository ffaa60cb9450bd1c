package import MailModel
import OperatingSystem
package import QueueStore
import Synchronization

/// The database's clock, as far as this node knows it: measured now and then, and reckoned between on a clock that nobody
/// sets. Arrival and retry times are the database's, so a node whose own clock is wrong does no harm.
package final class DatabaseClock: Sendable {
    private let reference: Mutex<(time: Timestamp, at: MonotonicInstant)>

    /// A clock set by one measurement.
    package init(store: QueueStore) async throws(QueueStoreError) {
        self.reference = Mutex((try await store.databaseTime(), .now))
    }

    /// Measures again.
    func synchronise(with store: QueueStore) async throws(QueueStoreError) {
        let time = try await store.databaseTime()
        self.reference.withLock { $0 = (time, .now) }
    }

    /// The time now.
    package var now: Timestamp {
        let (time, measured) = self.reference.withLock { $0 }
        return time + (MonotonicInstant.now - measured)
    }
}
