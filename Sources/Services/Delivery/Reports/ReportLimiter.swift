package import Admission
package import DeliveryQueue
import MailModel
import QueueStore
import Synchronization

/// The node's budget of reports on the messages of clients that may not relay, which all deliveries share; see `ReportBudget`.
///
/// A client that may relay could send to anybody without a report, and must hear what became of its messages. So its
/// reports are not limited.
package final class ReportLimiter: Sendable {
    private let state: Mutex<ReportBudget>
    private let networks: ClientNetworks

    package init(_ limits: ReportBudget.Limits, networks: ClientNetworks = ClientNetworks()) {
        self.state = Mutex(ReportBudget(limits))
        self.networks = networks
    }

    /// Bytes that a report on an entry may have, if the client may not relay.
    func capacity(forReportOn entry: QueueEntry, at now: MonotonicInstant) -> Int? {
        self.state.withLock { $0.capacity(for: entry.key.message, of: entry.size, at: now) }
    }

    /// Takes those reports out for which there is no budget.
    func limit(
        _ reports: [NotificationWriter.Reports], on entry: QueueEntry, at now: MonotonicInstant
    ) -> [NotificationWriter.Reports] {
        guard !entry.attributes.mayRelay else { return reports }
        let client = entry.attributes.clientAddress.flatMap { IPAddress($0) }.map { self.networks.client(of: $0) }
        return self.state.withLock { budget in
            reports.map { kind in
                var kept = kind
                kept.messages = []
                for message in kind.messages {
                    guard let domain = message.entries.first?.domain else { continue }
                    let report = ReportBudget.Report(
                        senderDomain: domain, client: client, message: entry.key.message, messageBytes: entry.size,
                        bytes: message.size)
                    if let refusal = budget.spend(report, at: now) {
                        kept.dropped.append(refusal)
                    } else {
                        kept.messages.append(message)
                    }
                }
                return kept
            }
        }
    }
}
