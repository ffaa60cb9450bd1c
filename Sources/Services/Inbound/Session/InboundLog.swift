package import Admission
package import Logging
import MailModel
import QueueStore
import SMTPProtocol
import ServiceSupport
import Synchronization
import Telemetry

/// Tells of each message that was accepted and of what was refused, and who it was. All listeners share one.
package final class InboundLog: Sendable {
    /// What a client was at when it was refused.
    struct Refused {
        let client: ClientIdentity
        var hello: String?
        var rule: AdmissionRule?
        /// The reverse path's mailbox, empty for the null sender; nothing before MAIL.
        var sender: String?
        var recipient: String?
    }

    /// Domains or addresses of recipients in one line.
    static let mostRecipients = 20

    private let logger: Logger
    private let metrics: InboundMetrics
    private let hasAddresses: Bool
    private let networks: ClientNetworks
    private let budget = Mutex(RefusalBudget())

    /// - Parameters:
    ///   - hasAddresses: lines have whole addresses, and not their domains alone (`telemetry.log-addresses`).
    ///   - networks: which addresses are one client for the budget of lines.
    package init(
        _ logger: Logger, metrics: InboundMetrics, hasAddresses: Bool = false,
        networks: ClientNetworks = ClientNetworks()
    ) {
        self.logger = logger
        self.metrics = metrics
        self.hasAddresses = hasAddresses
        self.networks = networks
    }

    /// A message is stored.
    func accepted(_ message: AcceptedMessage) {
        let (domains, recipients) = (message.entries.map(\.domain.text), message.entries.flatMap(\.recipients))
        var metadata: Logger.Metadata = [
            LogKey.event: "\(LogEventName.reception.rawValue)", LogKey.messageID: "\(message.id)",
            LogKey.recipientDomains: Self.list(domains), LogKey.recipientCount: .stringConvertible(recipients.count),
            LogKey.size: .stringConvertible(message.size),
        ]
        // What searches for a domain finds most messages by this.
        if domains.count == 1 { metadata[LogKey.recipientDomain] = .string(domains[0]) }
        metadata.add(sender: message.sender, isWhole: self.hasAddresses)
        if self.hasAddresses { metadata[LogKey.recipient] = Self.list(recipients.map(\.address)) }
        let reception = message.reception
        metadata.add([
            (LogKey.client, reception.client), (LogKey.hello, reception.hello), (LogKey.user, reception.user),
            (LogKey.admittedBy, reception.admittedBy), (LogKey.messageIDField, reception.messageIDField),
        ])
        self.logger.info("accepted", metadata: metadata)
    }

    /// A client was refused. Of one client, and of all, so many lines are written in a minute; others are counted.
    func refused(_ refused: Refused, _ reason: String, _ reply: SMTPReply, at now: MonotonicInstant) {
        let client = self.networks.client(of: refused.client.address)
        let decision = self.budget.withLock { $0.refused(client, at: now) }
        if decision.untoldBefore > 0 {
            self.logger.info(
                "refusals without a line of their own, since there were many",
                metadata: [
                    LogKey.event: "\(LogEventName.rejection.rawValue)",
                    LogKey.count: .stringConvertible(decision.untoldBefore),
                ])
        }
        guard decision.isTold else { return self.metrics.smtpdRejectsUnlogged.increment() }
        var metadata: Logger.Metadata = [
            LogKey.event: "\(LogEventName.rejection.rawValue)", LogKey.client: "\(refused.client.address)",
            LogKey.code: .stringConvertible(reply.code), LogKey.reason: .string(reason),
            LogKey.reply: "\(reply)",
        ]
        metadata.add([
            (LogKey.hello, refused.hello), (LogKey.user, refused.client.user.map(SafeText.escape)),
            (LogKey.admittedBy, refused.rule.map { "\($0)" }), (LogKey.enhanced, reply.enhancedStatus.map { "\($0)" }),
            (LogKey.recipientDomain, refused.recipient.map(\.domainOfAddress)),
            (LogKey.recipient, self.hasAddresses ? refused.recipient : nil),
        ])
        if let sender = refused.sender { metadata.add(sender: sender, isWhole: self.hasAddresses) }
        self.logger.info("refused", metadata: metadata)
    }

    private static func list(_ texts: [String]) -> Logger.MetadataValue {
        .array(texts.prefix(Self.mostRecipients).map { .string($0) })
    }
}
