import ClusterModel
import DANE
import DNSModel
import DeliveryQueue
import MailModel
import QueueStore
import Routing
import ServiceSupport
import TLSEngine
import Telemetry

/// What is put on record of one attempt, and then told by log lines and counters.
struct AttemptRecord {
    let entry: QueueEntry
    let report: AttemptReport
    /// What became of the recipients that this record tells of.
    private(set) var decisions: [RecipientDecision]
    private(set) var lines: [AttemptTrace.Line]
    private(set) var reports: [NotificationWriter.Reports]
    /// Why the entry waits, if it does.
    private(set) var waitingBecause: DeliveryFailure?

    init(
        _ entry: QueueEntry, _ report: AttemptReport, _ decision: EntryDecision, lines: [AttemptTrace.Line],
        reports: [NotificationWriter.Reports]
    ) {
        self.entry = entry
        self.report = report
        self.decisions = decision.recipients
        self.lines = lines
        self.reports = reports
        self.waitingBecause = decision.waitingBecause
    }

    /// As much of it as a former owner of the shard may record: what was delivered. The failures are the new owner's to find
    /// out. `nil` where nothing was delivered.
    var deliveries: AttemptRecord? {
        var part = self
        part.decisions = self.decisions.filter(\.isDelivered)
        part.lines = self.lines.filter { [.send, .transfer].contains($0.event.kind) }
        part.reports = self.reports.filter { $0.action == .relayed }
        part.waitingBecause = nil
        return part.decisions.isEmpty ? nil : part
    }

    /// The record for the queue.
    func outcome(_ result: RecordedOutcome.Result, epoch: Epoch) -> RecordedOutcome {
        RecordedOutcome(
            entry: self.entry, epoch: epoch, result: result, events: self.lines.map(\.event),
            notifications: self.reports.flatMap(\.messages))
    }

    // MARK: - Counting

    /// Counts what was recorded.
    func count(in metrics: DeliveryMetrics, at now: Timestamp) {
        for recipient in self.decisions {
            switch recipient {
            case .delivered: metrics.deliveries.increment(.delivered)
            case .retry: metrics.deliveries.increment(self.report.isAmbiguous ? .ambiguous : .deferred)
            case .bounce(_, .refused): metrics.deliveries.increment(.bounced)
            case .bounce(_, .expired): metrics.deliveries.increment(.expired)
            }
        }
        if self.decisions.contains(where: \.isDelivered) {
            metrics.deliveryLatency.observe(now - self.entry.arrival)
        }
        for kind in self.reports {
            metrics.dsnSent.increment(DSNType(kind.action), by: kind.messages.count)
            for refusal in kind.dropped { metrics.dsnDropped.increment(refusal) }
        }
        if let reason = self.waitingBecause { metrics.queueRetries.increment(RetryReason(reason)) }
        for attempt in self.report.tries { Self.count(attempt, in: metrics) }
        for event in self.lines.map(\.event) where event.kind == .defer || event.kind == .fail {
            guard let status = event.status else { continue }
            metrics.deliveryFailures.increment(DeliveryFailureCode(enhancedStatusCode: "\(status)"))
        }
    }

    private static func count(_ attempt: HostAttempt, in metrics: DeliveryMetrics) {
        guard !attempt.isWarm else { return }
        if let abandoned = attempt.abandonedTLS { metrics.smtpTLSAbandoned.increment(abandoned.reason) }
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
