import ClusterModel
import DatabaseHealth

@testable import EdgeNode
@testable import QueueStore

/// `AttemptRecorder`: puts attempts and outcomes on record, all that wait with one transaction, one of each kind at a time.
final class SimulatedLedger {
    private let store: SimulatedStore
    private unowned let monitor: SimulatedMonitor
    private var openings: [(AttemptOpening, (Bool) -> Void)] = []
    private var conclusions: [(Conclusion, (Result<Void, QueueStoreError>) -> Void)] = []
    private var isOpening = false
    private var isConcluding = false

    init(_ store: SimulatedStore, monitor: SimulatedMonitor) {
        self.store = store
        self.monitor = monitor
    }

    /// `false` when the attempt must not be made.
    func open(_ entry: QueueEntry, epoch: Epoch, _ then: @escaping (Bool) -> Void) {
        self.openings.append((AttemptOpening(entry: entry, epoch: epoch), then))
        self.openWaiting()
    }

    private func openWaiting() {
        guard !self.isOpening, !self.openings.isEmpty else { return }
        let batch = self.openings
        self.openings.removeAll()
        self.isOpening = true
        self.open(batch.map(\.0)) { results in
            self.isOpening = false
            self.openWaiting()
            for (item, isOpened) in zip(batch, results) { item.1(isOpened) }
        }
    }

    private func open(_ items: [AttemptOpening], _ then: @escaping ([Bool]) -> Void) {
        self.store.open(items) { result in
            switch result {
            case .success(let keys):
                self.monitor.report(.wrote)
                then(items.map { keys.contains($0.entry.key) })
            case .failure(let error):
                self.monitor.report(error)
                then(items.map { _ in false })
            }
        }
    }

    func conclude(_ conclusion: Conclusion, _ then: @escaping (Result<Void, QueueStoreError>) -> Void) {
        self.conclusions.append((conclusion, then))
        self.concludeWaiting()
    }

    private func concludeWaiting() {
        guard !self.isConcluding, !self.conclusions.isEmpty else { return }
        let batch = self.conclusions
        self.conclusions.removeAll()
        self.isConcluding = true
        self.store.conclude(batch.map(\.0)) { results in
            for result in results { self.tell(result) }
            self.isConcluding = false
            self.concludeWaiting()
            for (item, result) in zip(batch, results) { item.1(result) }
        }
    }

    private func tell(_ result: Result<Void, QueueStoreError>) {
        switch result {
        case .success: self.monitor.report(.wrote)
        case .failure(let error): self.monitor.report(error)
        }
    }
}
