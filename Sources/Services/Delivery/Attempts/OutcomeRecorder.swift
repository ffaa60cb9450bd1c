import Admission
import ClusterModel
import DeliveryQueue
import Logging
import MailModel
import NodeState
import QueueStore
import ServiceSupport
import ShardLeases
import Telemetry

/// Decides what becomes of an entry after an attempt, and has it recorded: outcome, trace rows, retry or report, all in
/// one transaction. Then it writes the log lines and counters of what was recorded.
struct OutcomeRecorder: Sendable {
    /// What the recorders of all destinations share.
    struct Means: Sendable {
        /// This node's name, in traces.
        let node: DomainName
        /// Log lines have whole addresses, and not their domains alone.
        let logsAddresses: Bool
        let state: Replaceable<NodeState>
        let schedules: RetrySchedules
        let reports: SenderReports
        let recorder: AttemptRecorder
        let store: any DeliveryStore
        let metrics: DeliveryMetrics
        let logger: Logger
        let clock: DatabaseClock
        let time: any NodeClock
    }

    let means: Means
    let term: ShardTerm
    /// Whose row is written with an outcome, if it has changed.
    let destination: Destination

    private func schedule(for entry: QueueEntry) -> RetrySchedule {
        self.means.schedules[entry.key.domain]
    }

    /// Records an attempt that was made. Returns only when that is done, or can no longer be done by us: until then the
    /// entry must not be tried again.
    func record(_ entry: QueueEntry, _ report: AttemptReport) async {
        let now = self.means.clock.now
        let decision = EntryDecision(
            report.outcomes, schedule: self.schedule(for: entry), attempts: entry.attempts + 1, arrival: entry.arrival,
            now: now)
        // By then the lease has been renewed, or is another's.
        let again = now + self.means.store.terms.timeToLive
        await self.record(entry, report, report.isWithdrawn ? decision.retried(by: again) : decision, at: now)
    }

    /// Records that an entry was not attempted, because its destination is in backoff, and what its sender is told
    /// meanwhile. An entry that waits on keeps its place in line. Returns like the other.
    ///
    /// - Parameters:
    ///   - hasNextAttempt: whether the time of the next attempt is known: not during a suspension without an end.
    ///   - now: when it was found overdue. A clock that has gone back since must not make it overdue again.
    func record(
        _ entry: QueueEntry, waitingFor backoff: DestinationBackoff, hasNextAttempt: Bool, at now: Timestamp
    ) async {
        let decision = backoff.decision(
            recipients: entry.recipients.count, schedule: self.schedule(for: entry), arrival: entry.arrival, now: now)
        await self.record(
            entry, AttemptReport(of: entry, waitingFor: backoff.failure), decision, at: now, place: entry.nextAttempt,
            hasNextAttempt: hasNextAttempt)
    }

    private func record(
        _ entry: QueueEntry, _ report: AttemptReport, _ decision: EntryDecision, at now: Timestamp,
        place: Timestamp? = nil, hasNextAttempt: Bool = true
    ) async {
        let trace = AttemptTrace(
            entry: entry, report: report, decision: decision, node: self.means.node,
            isTransfer: self.means.state.current.policy.domains[entry.key.domain] != nil,
            hasNextAttempt: hasNextAttempt)
        let plan = NotificationPlan(
            decision, notify: entry.recipients.map { $0.envelope?.notify },
            sender: entry.reversePath ?? .null,
            schedule: self.schedule(for: entry), arrival: entry.arrival, now: now,
            isDelayNotified: entry.isDelayNotified)
        let reports = await self.means.reports.reports(on: entry, plan, now: now)
        let dropped = reports.flatMap { kind in kind.dropped.map { trace.dropped(kind.action, $0) } }
        let record = AttemptRecord(entry, report, decision, lines: trace.lines + dropped, reports: reports)
        let undelivered = zip(entry.recipients, decision.recipients).filter { !$1.isDelivered }.map(\.0)
        // What another owner has recorded, or will record, is for its log and its counters.
        guard
            let recorded = await self.commit(
                record, Self.result(of: entry, decision, plan, place), undelivered: undelivered)
        else { return }
        recorded.count(in: self.means.metrics, at: self.means.clock.now)
        for line in recorded.lines {
            self.means.logger.info(
                "\(line.event.kind.rawValue)",
                metadata: line.logMetadata(of: entry, hasAddresses: self.means.logsAddresses))
        }
    }

    private static func result(
        of entry: QueueEntry, _ decision: EntryDecision, _ plan: NotificationPlan, _ place: Timestamp?
    ) -> RecordedOutcome.Result {
        guard let next = decision.nextAttempt, let reason = decision.waitingBecause else { return .removed }
        let remaining = zip(entry.recipients, decision.recipients).compactMap { recipient, decision in
            if case .retry = decision { recipient } else { nil }
        }
        return .retry(
            at: place ?? next, recipients: remaining, because: reason,
            isDelayNotified: entry.isDelayNotified || plan.isDelaySettled)
    }

    // MARK: - Committing

    /// Has it recorded, and gives what was: all of it, what a former owner may add, or nothing.
    private func commit(
        _ record: AttemptRecord, _ result: RecordedOutcome.Result, undelivered: [QueueRecipient]
    ) async -> AttemptRecord? {
        var outcome = record.outcome(result, epoch: self.term.epoch)
        var wait = Duration.milliseconds(100)
        while true {
            // Asked anew each time: what was true of the destination at first may have been overtaken.
            outcome.destinationChange = await self.destination.unrecordedChange
            guard case .failure(let error) = await self.means.recorder.record(outcome) else {
                if let change = outcome.destinationChange { await self.destination.recorded(change) }
                return record
            }
            switch error.code {
            case .entryChanged: return nil
            case .staleEpoch: return await self.commitLate(record.deliveries, undelivered: undelivered)
            default: self.means.logger.error("outcome not recorded yet", metadata: ["error": "\(error)"])
            }
            // Nothing is lost meanwhile; a restart before it is recorded may send what was sent a second time.
            do { try await self.means.time.sleep(for: wait) } catch { return nil }
            wait = min(wait * 2, .seconds(5))
        }
    }

    /// The shard has another owner: a delivery still counts, a failure is the new owner's to find out.
    private func commitLate(_ record: AttemptRecord?, undelivered: [QueueRecipient]) async -> AttemptRecord? {
        guard let record else { return nil }
        let outcome = record.outcome(.removed, epoch: self.term.epoch)
        var wait = Duration.milliseconds(100)
        while true {
            do throws(QueueStoreError) {
                let isRecorded = try await self.means.store.recordLateDelivery(
                    outcome, undelivered: undelivered)
                guard !isRecorded else { return record }
                self.means.logger.warning(
                    "delivered, but another node has begun an attempt of its own: a second copy may arrive",
                    metadata: [LogKey.messageID: "\(record.entry.key.message)"])
                return nil
            } catch {
                self.means.logger.error("late delivery not recorded yet", metadata: ["error": "\(error)"])
            }
            // The new owner waits a step of the schedule before its own attempt: until then it is not too late.
            do { try await self.means.time.sleep(for: wait) } catch { return nil }
            wait = min(wait * 2, .seconds(5))
        }
    }
}
