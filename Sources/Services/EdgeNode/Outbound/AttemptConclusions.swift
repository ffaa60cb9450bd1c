import DANE
import DeliveryQueue
import Logging
import MailModel
import QueueStore
import TLSEngine
import Telemetry
import TransportSecurity

/// Decides what becomes of an entry after an attempt, and has it recorded: outcome, trace rows, retry or report, all in
/// one transaction; then the log lines and counters of what was recorded.
struct AttemptConclusions: Sendable {
    let environment: DeliveryEnvironment
    let term: ShardTerm

    /// Records an attempt that was made. Returns only when that is done, or can no longer be done by us: until then the
    /// entry must not be tried again.
    func record(_ entry: QueueEntry, _ report: AttemptReport) async {
        let now = self.environment.clock.now
        let decision = EntryDecision(
            report.outcomes, schedule: self.environment.settings.schedule, attempts: entry.attempts + 1,
            arrival: entry.arrival, now: now)
        let lines = AttemptTrace(
            entry: entry, report: report, decision: decision, node: self.environment.settings.node,
            isTransfer: self.environment.policy.acceptedDomains[entry.key.domain] != nil
        ).lines
        let plan = NotificationPlan(
            decision, notify: entry.recipients.map { $0.envelopeRecipient?.notify },
            sender: ReversePath(storedText: entry.sender) ?? .null, schedule: self.environment.settings.schedule,
            arrival: entry.arrival, now: now, isDelayNotified: entry.isDelayNotified)
        let reports = await self.reports(on: entry, plan, now: now)
        let isRecorded = await self.commit(
            Conclusion(
                entry: entry, epoch: self.term.epoch, result: Self.result(of: entry, decision, plan),
                events: lines.map(\.event), notifications: reports.flatMap(\.messages)),
            isDelivery: decision.recipients.allSatisfy(\.isDelivered))
        // What another owner has concluded, or will, is for its log and its counters.
        guard isRecorded else { return }
        self.account(entry, report, decision, lines: lines, reports: reports)
    }

    private static func result(
        of entry: QueueEntry, _ decision: EntryDecision, _ plan: NotificationPlan
    ) -> Conclusion.Result {
        guard let next = decision.nextAttempt, let reason = decision.waitingBecause else { return .removed }
        let remaining = zip(entry.recipients, decision.recipients).compactMap { recipient, decision in
            if case .retry = decision { recipient } else { nil }
        }
        return .retry(
            at: next, recipients: remaining, because: reason,
            isDelayNotified: entry.isDelayNotified || plan.announcesDelay)
    }

    // MARK: - Committing

    /// `false` when it is not for us to record.
    private func commit(_ conclusion: Conclusion, isDelivery: Bool) async -> Bool {
        var wait = Duration.milliseconds(100)
        while true {
            guard case .failure(let error) = await self.environment.ledger.conclude(conclusion) else { return true }
            switch error.code {
            case .entryChanged: return false
            case .staleEpoch: return isDelivery ? await self.recordLate(conclusion) : false
            default: self.environment.logger.error("outcome not recorded yet", metadata: ["error": "\(error)"])
            }
            // Nothing is lost meanwhile; a restart before it is recorded may send what was sent a second time.
            do { try await Task.sleep(for: wait) } catch { return false }
            wait = min(wait * 2, .seconds(5))
        }
    }

    /// The shard has another owner: a delivery still counts, a failure is the new owner's to find out.
    private func recordLate(_ conclusion: Conclusion) async -> Bool {
        do throws(QueueStoreError) {
            guard try await !self.environment.store.recordLateDelivery(conclusion) else { return true }
            self.environment.logger.warning(
                "delivered, but another node has begun an attempt of its own: a second copy may arrive",
                metadata: [LogKey.messageID: "\(conclusion.entry.key.message)"])
        } catch {
            self.environment.logger.error("late delivery not recorded", metadata: ["error": "\(error)"])
        }
        return false
    }

    // MARK: - Reports to the sender

    /// The original is read here, before the transaction: no connection waits for another.
    private func reports(
        on entry: QueueEntry, _ plan: NotificationPlan, now: Timestamp
    ) async -> [NotificationWriter.Reports] {
        guard plan.notices.contains(where: { $0 != nil }) else { return [] }
        let settings = self.environment.settings
        let writer = NotificationWriter(
            entry: entry, plan: plan, from: settings.reportsFrom, reportingMTA: settings.node, now: now)
        let source = await BodySource.open(entry.key, in: self.environment.store)
        return writer.reports(returning: await source.returned(of: entry, atMost: settings.returnedBytes))
    }

    // MARK: - Counting

    private func account(
        _ entry: QueueEntry, _ report: AttemptReport, _ decision: EntryDecision, lines: [AttemptTrace.Line],
        reports: [NotificationWriter.Reports]
    ) {
        let metrics = self.environment.metrics
        for recipient in decision.recipients {
            switch recipient {
            case .delivered: metrics.deliveries.increment(.delivered)
            case .retry: metrics.deliveries.increment(report.isAmbiguous ? .ambiguous : .deferred)
            case .bounce(_, .refused): metrics.deliveries.increment(.bounced)
            case .bounce(_, .expired): metrics.deliveries.increment(.expired)
            }
        }
        if decision.recipients.contains(where: \.isDelivered) {
            metrics.deliveryLatency.observe(self.environment.clock.now - entry.arrival)
        }
        for kind in reports { metrics.dsnSent.increment(DSNType(kind.action), by: kind.messages.count) }
        if decision.nextAttempt != nil { metrics.queueRetries.increment(RetryReason(decision.waitingBecause)) }
        for attempt in report.tries { self.count(attempt) }
        for line in lines {
            let event = line.event
            if let status = event.status, event.kind == .defer || event.kind == .fail {
                metrics.deliveryFailures.increment(DeliveryFailureCode(enhancedStatusCode: "\(status)"))
            }
            self.environment.logger.info(
                "\(event.kind.rawValue)", metadata: line.logMetadata(of: entry))
        }
    }

    private func count(_ attempt: HostTry) {
        let metrics = self.environment.metrics
        guard !attempt.isWarm else { return }
        if let established = attempt.established {
            let trust: PeerTrust =
                established.peer != nil ? .dane : (established.info != nil ? .encrypted : .none)
            metrics.smtpTLSHandshakes.increment(
                trust, established.info.map { TLSVersionLabel($0.version) } ?? .none)
        } else if let refused = attempt.failure?.connection {
            // The handshake was completed, and nothing was proven by it.
            metrics.smtpTLSHandshakes.increment(.none, TLSVersionLabel(refused.version))
        }
        guard case .authenticate? = attempt.host?.requirement else { return }
        guard let verdict = DANEVerificationResult(attempt) else { return }
        metrics.daneVerifications.increment(TLSAUsageLabel(attempt.established?.peer?.matched.usage), verdict)
    }
}

extension BodySource {
    /// What a report may give back: the whole message if the sender asked for it (RET=FULL) and it has at most `limit` bytes,
    /// which stand in the first chunk; else the beginning of it, with the header section.
    fileprivate consuming func returned(of entry: QueueEntry, atMost limit: Int) async -> ReturnedContent {
        guard case .chunk(let bytes) = await self.next() else { return .header([]) }
        let isAsked = entry.attributes.dsnReturn.flatMap { ReturnContent(rawValue: $0) } == .full
        guard isAsked, entry.size <= limit, bytes.count == entry.size else {
            return .header(Array(bytes.prefix(NotificationWriter.headerLimits[0])))
        }
        return .message(bytes)
    }
}
