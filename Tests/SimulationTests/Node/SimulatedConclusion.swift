import ClusterModel
import DeliveryQueue
import MailModel

@testable import EdgeNode
@testable import QueueStore

/// `OutcomeRecorder`: decides what becomes of an entry, and has it recorded, in one transaction.
struct SimulatedConclusion {
    unowned let node: SimulatedNode
    let term: ShardTerm
    let entry: QueueEntry
    let destination: SimulatedDestination

    private var schedule: RetrySchedule { self.node.scenario.retries[self.entry.key.domain] }

    /// Calls back when that is done, or can no longer be done by us.
    func record(_ report: SimulatedReport, _ then: @escaping () -> Void) {
        let now = self.node.databaseNow
        let decision = EntryDecision(
            report.outcomes, schedule: self.schedule, attempts: self.entry.attempts + 1,
            arrival: self.entry.arrival, now: now)
        let again = now + self.node.scenario.terms.timeToLive
        self.record(report.isWithdrawn ? decision.retried(by: again) : decision, at: now, then)
    }

    /// The entry was not attempted, because its destination is left alone. One that waits on keeps its place in line.
    func record(waitingFor backoff: DestinationBackoff, at now: Timestamp, _ then: @escaping () -> Void) {
        let decision = backoff.decision(
            recipients: self.entry.recipients.count, schedule: self.schedule,
            arrival: self.entry.arrival, now: now)
        self.record(decision, at: now, place: self.entry.nextAttempt, then)
    }

    private func record(
        _ decision: EntryDecision, at now: Timestamp, place: Timestamp? = nil, _ then: @escaping () -> Void
    ) {
        let plan = NotificationPlan(
            decision, notify: self.entry.recipients.map { $0.envelope?.notify },
            sender: self.entry.reversePath ?? .null, schedule: self.schedule,
            arrival: self.entry.arrival, now: now, isDelayNotified: self.entry.isDelayNotified)
        let conclusion = Conclusion(
            entry: self.entry, epoch: self.term.epoch, result: self.result(decision, plan, place), events: [],
            notifications: self.reports(plan, at: now))
        self.node.witness.planned(
            PlannedConclusion(
                name: AttemptName(of: self.entry, epoch: self.term.epoch, by: self.node.client),
                recipients: self.entry.recipients.map(\.address), decisions: decision.recipients,
                announcesDelay: plan.notices.contains { $0?.action == .delayed }))
        self.commit(conclusion, decision, wait: self.node.unit / 10, then)
    }

    private func result(
        _ decision: EntryDecision, _ plan: NotificationPlan, _ place: Timestamp?
    ) -> Conclusion.Result {
        guard let next = decision.nextAttempt, let reason = decision.waitingBecause else { return .removed }
        let remaining = zip(self.entry.recipients, decision.recipients).compactMap { recipient, decision in
            if case .retry = decision { recipient } else { nil }
        }
        return .retry(
            at: place ?? next, recipients: remaining, because: reason,
            isDelayNotified: self.entry.isDelayNotified || plan.isDelaySettled)
    }

    // MARK: - Committing

    private func commit(
        _ conclusion: Conclusion, _ decision: EntryDecision, wait: Duration, _ then: @escaping () -> Void
    ) {
        var conclusion = conclusion
        conclusion.destinationChange = self.destination.unrecordedChange
        let name = AttemptName(of: self.entry, epoch: self.term.epoch, by: self.node.client)
        self.node.ledger.conclude(conclusion) { [conclusion] result in
            guard case .failure(let error) = result else {
                if let change = conclusion.destinationChange { self.destination.recorded(change) }
                self.node.witness.believedRecorded(name)
                return then()
            }
            switch error.code {
            case .entryChanged:
                self.node.witness.refused()
                then()
            case .staleEpoch: self.commitLate(conclusion, decision, wait: self.node.unit / 10, then)
            default:
                if self.node.surroundings.broken == .outcomeForgotten {
                    self.node.witness.forgotten(name)
                    return then()
                }
                self.node.after(wait) {
                    self.commit(conclusion, decision, wait: min(wait * 2, self.node.unit * 5), then)
                }
            }
        }
    }

    /// The shard has another owner: a delivery still counts, a failure is the new owner's to find out.
    private func commitLate(
        _ conclusion: Conclusion, _ decision: EntryDecision, wait: Duration, _ then: @escaping () -> Void
    ) {
        guard decision.recipients.contains(where: \.isDelivered) else {
            self.node.witness.refused()
            return then()
        }
        let undelivered = zip(self.entry.recipients, decision.recipients).filter { !$1.isDelivered }.map(\.0)
        var late = conclusion
        late.result = .removed
        // No recipient of a simulation asks for a report of success.
        late.notifications = []
        self.node.store.idempotently(.deliverLate(late, undelivered: undelivered)) { result in
            if case .success(let answer) = result {
                if answer != .late(isRecorded: true) { self.node.witness.refused() }
                return then()
            }
            self.node.after(wait) {
                self.commitLate(conclusion, decision, wait: min(wait * 2, self.node.unit * 5), then)
            }
        }
    }

    // MARK: - Reports to the sender

    private func reports(_ plan: NotificationPlan, at now: Timestamp) -> [AcceptedMessage] {
        guard let mailbox = Mailbox(self.entry.sender), let domain = mailbox.domainName,
            self.node.surroundings.broken != .reportForgotten
        else { return [] }
        return DeliveryStatusNotification.Action.allCases.compactMap { action in
            guard plan.notices.contains(where: { $0?.action == action }) else { return nil }
            return AcceptedMessage(
                id: self.node.world.messageID(at: now), sender: "",
                entries: [AcceptedEntry(domain: domain, recipients: [QueueRecipient(address: "\(mailbox)")])],
                body: .inline([13, 10]), receptionNote: "report on \(self.entry.key.message)")
        }
    }
}
