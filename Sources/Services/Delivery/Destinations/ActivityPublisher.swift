package import Logging
package import MailModel
package import QueueStore
package import ShardLeases

/// Tells the database what deliveries are busy with, for `relayctl` and the metrics. It writes only changes, and only
/// attempts and waits that last, so that a node whose mail flows writes nothing.
package struct ActivityPublisher: Sendable {
    private static let interval = Duration.seconds(2)

    private let activity: ActivityTable
    private let store: QueueStore
    private let clock: DatabaseClock
    private let time: any NodeClock
    private let logger: Logger

    package init(
        _ activity: ActivityTable, store: QueueStore, clock: DatabaseClock, time: any NodeClock, logger: Logger
    ) {
        self.activity = activity
        self.store = store
        self.clock = clock
        self.time = time
        self.logger = logger
    }

    package func run() async {
        // What an earlier run has left behind.
        var published: ActivitySnapshot?
        while !Task.isCancelled {
            let snapshot = self.activity.snapshot(at: self.clock.now)
            if published.map({ $0.isSame(as: snapshot) }) != true, await self.publish(snapshot) { published = snapshot }
            try? await self.time.sleep(for: Self.interval)
        }
    }

    /// What fails is told at the next look; the monitor of the database has said why.
    private func publish(_ snapshot: ActivitySnapshot) async -> Bool {
        do throws(QueueStoreError) {
            try await self.store.publish(underWay: snapshot.underWay, resting: snapshot.resting)
            return true
        } catch {
            self.logger.debug("activity is not published", metadata: ["error": "\(error)"])
            return false
        }
    }
}

extension ActivitySnapshot {
    fileprivate func isSame(as other: ActivitySnapshot) -> Bool {
        Set(self.underWay) == Set(other.underWay) && Set(self.resting) == Set(other.resting)
    }
}
