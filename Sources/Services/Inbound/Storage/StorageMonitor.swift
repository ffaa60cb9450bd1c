package import Admission
package import Logging
package import MailModel
package import QueueStore
import ServiceLifecycle
import Synchronization
import Telemetry

/// Looks every few seconds how full the queue is, so that no message costs a question, and tells how much is staged.
///
/// Between two looks the queue can pass a limit by what comes in that time. The limits are for days of trouble, not for
/// the last byte. While the database does not answer the last look counts.
package final class StorageMonitor: Service {
    private static let interval = Duration.seconds(2)

    private let staging: StagingBudget
    private let store: QueueStore
    private let metrics: InboundMetrics
    private let time: any NodeClock
    private let logger: Logger
    private let state: Mutex<StorageState>
    private let isWriterCongested: @Sendable () -> Bool

    /// - Parameter isWriterCongested: whether so much waits to be stored that more had better not come.
    package init(
        _ limits: StorageLimits, staging: StagingBudget, store: QueueStore, metrics: InboundMetrics,
        time: any NodeClock,
        logger: Logger,
        isWriterCongested: @escaping @Sendable () -> Bool
    ) {
        self.staging = staging
        self.store = store
        self.metrics = metrics
        self.time = time
        self.logger = logger
        self.state = Mutex(StorageState(limits))
        self.isWriterCongested = isWriterCongested
    }

    /// The refusal of a message with this envelope; `nil` while there is capacity.
    func refusal(of envelope: Envelope) -> SMTPReply? {
        let hasSender = envelope.reversePath != .null
        let hasCapacity =
            self.state.withLock { $0.hasCapacity(for: envelope.declaredSize, hasSender: hasSender) }
            && !self.isWriterCongested()
        return hasCapacity ? nil : Self.noCapacity
    }

    private static let noCapacity = SMTPReply(
        452, EnhancedStatusCode(.persistentTransientFailure, 3, 1), "No room for more mail now, try later")

    package func run() async throws {
        let limits = self.state.withLock { $0.limits }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.staging.tell(self.metrics)
                if limits.areSet { await self.look(limits) }
                try? await self.time.sleep(for: Self.interval)
            }
        }
    }

    private func look(_ limits: StorageLimits) async {
        do throws(QueueStoreError) {
            let total = try await self.store.storedTotal()
            var usage = StorageUsage()
            usage.messages = total.entries
            usage.bytes = total.bytes
            if limits.databaseBytes > 0 { usage.databaseBytes = try await self.store.databaseSize() }
            self.tell(self.state.withLock { $0.observed(usage) })
        } catch {
            self.logger.warning("cannot see how full the queue is", metadata: ["error": "\(error)"])
        }
    }

    private func tell(_ change: StorageState.Change) {
        switch change {
        case .none: ()
        case .closed(let limit):
            self.logger.error("no more mail is taken: the queue is full", metadata: ["limit": "\(limit.rawValue)"])
        case .opened:
            self.logger.notice("mail is taken again: the queue has capacity")
        }
    }
}
