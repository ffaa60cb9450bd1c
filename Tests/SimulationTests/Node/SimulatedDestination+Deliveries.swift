import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

// MARK: - Deliveries

extension SimulatedDestination {
    func hire() {
        self.deliveries += 1
        self.node.after(.zero) {
            self.work.workerBegan()
            self.deliverNext(SimulatedWorker())
        }
    }

    private func deliverNext(_ worker: SimulatedWorker) {
        let entry = self.work.take(isHeld: self.isHeld)
        self.changed()
        guard let entry else { return worker.whenRecorded { self.dismiss() } }
        self.node.begins(entry, in: self.term)
        self.node.witness.attemptBegan(
            AttemptName(of: entry, epoch: self.term.epoch, by: self.node.client),
            isEarlyTest: self.work.isTestingEarly)
        self.attempt(entry) { end in
            self.node.witness.attemptEnded(
                AttemptName(of: entry, epoch: self.term.epoch, by: self.node.client), self.finding(end, of: entry))
            switch end {
            case .made(let report): self.made(report, of: entry, worker)
            case .void:
                self.node.ends(entry, in: self.term)
                self.work.concluded(entry.id)
                self.deliverNext(worker)
            case .postponed:
                self.node.ends(entry, in: self.term)
                if self.work.postponed(entry) { self.rest() }
                self.deliverNext(worker)
            }
        }
    }

    private func dismiss() {
        self.deliveries -= 1
        self.work.workerLeft()
        if self.hasEnded { self.leave() } else { self.changed() }
    }

    private func made(_ report: SimulatedReport, of entry: QueueEntry, _ worker: SimulatedWorker) {
        self.work.attempted(
            entry.id, self.finding(.made(report), of: entry), arrival: entry.arrival, now: self.node.databaseNow)
        // No more than one outcome is not on record yet.
        worker.whenRecorded {
            worker.recordingBegan()
            self.conclusion(of: entry).record(report) {
                self.node.ends(entry, in: self.term)
                self.work.concluded(entry.id)
                worker.recordingEnded()
            }
            self.deliverNext(worker)
        }
    }

    /// What was cut short by ourselves says nothing of the destination.
    private func finding(_ end: SimulatedAttempt.End, of entry: QueueEntry) -> DestinationFinding {
        if case .made(let report) = end, self.isHeld { report.finding(sender: entry.sender) } else { .inconclusive }
    }

    private func rest() {
        self.node.after(self.node.unit * 10) {
            self.work.rested()
            self.changed()
        }
    }

    private func attempt(_ entry: QueueEntry, _ then: @escaping (SimulatedAttempt.End) -> Void) {
        // An attempt that an earlier owner began and did not conclude counts as one that failed.
        if entry.interruptedAttempt != nil, self.node.surroundings.broken != .interruptedIsFresh {
            return then(.made(SimulatedReport(interrupted: entry)))
        }
        SimulatedAttempt(node: self.node, entry: entry, term: self.term, then).begin()
    }
}
