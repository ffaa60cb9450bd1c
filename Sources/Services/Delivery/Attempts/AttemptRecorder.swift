import ClusterModel
import DatabaseHealth
import MailModel
import QueueStore
import ServiceSupport
import Telemetry

/// Puts attempts and their outcomes on record, many with one COMMIT.
struct AttemptRecorder: Sendable {
    private let store: any DeliveryStore
    private let openings: GroupCommit<OpeningItem, Bool>
    private let outcomes: GroupCommit<RecordedOutcome, Result<Void, QueueStoreError>>

    private struct OpeningItem: Sendable {
        let entry: QueueEntry
        let epoch: Epoch
    }

    /// - Parameter monitor: is told how it goes.
    init(store: any DeliveryStore, metrics: DeliveryMetrics, time: any NodeClock, monitor: StoreMonitor? = nil) {
        self.store = store
        // What waits is bounded by the deliveries under way, each of which waits for one record.
        self.openings = GroupCommit(
            limits: .init(batchCount: 256, inFlight: 1, waitingCount: .max), time: time,
            waited: { metrics.queueCommitWait.observe(.beginAttempt, $0) }
        ) { items in
            let started = time.now
            defer { metrics.queueOperationDuration.observe(.beginAttempt, time.now - started) }
            return await Self.open(items, in: store, monitor)
        }
        self.outcomes = GroupCommit(
            limits: .init(batchCount: 256, inFlight: 1, waitingCount: .max), time: time,
            waited: { metrics.queueCommitWait.observe(.recordOutcome, $0) }
        ) { items in
            let started = time.now
            defer { metrics.queueOperationDuration.observe(.recordOutcome, time.now - started) }
            let results = await store.recordOutcomes(items)
            Self.tell(results, to: monitor)
            return results
        }
    }

    /// Records that an attempt at `entry` is about to be made. `false` when it must not be made: the entry is gone, the
    /// shard is lost, or the database does not answer.
    func open(_ entry: QueueEntry, epoch: Epoch) async -> Bool {
        await self.openings.submit(OpeningItem(entry: entry, epoch: epoch)) ?? false
    }

    /// Records the outcome of an attempt.
    func record(_ outcome: RecordedOutcome) async -> Result<Void, QueueStoreError> {
        guard let result = await self.outcomes.submit(outcome) else {
            return await self.store.recordOutcomes([outcome])[0]
        }
        return result
    }

    /// However many were written, that is one event.
    private static func tell(_ results: [Result<Void, QueueStoreError>], to monitor: StoreMonitor?) {
        guard let monitor else { return }
        if results.contains(where: { (try? $0.get()) != nil }) { monitor.report(.wrote) }
        for case .failure(let error) in results { monitor.report(error) }
    }

    private static func open(
        _ items: [OpeningItem], in store: any DeliveryStore, _ monitor: StoreMonitor?
    ) async -> [Bool] {
        do throws(QueueStoreError) {
            let opened = try await store.openAttempts(items.map { ($0.entry, $0.epoch) })
            monitor?.report(.wrote)
            return items.map { opened.contains($0.entry.key) }
        } catch {
            monitor?.report(error)
            return items.map { _ in false }
        }
    }
}
