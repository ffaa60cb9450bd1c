import DeliveryQueue
import MailModel
import QueueStore

/// Writes the reports by which a sender hears of one attempt at an entry: one of each kind.
///
/// A report goes to whoever the client named as the sender. If the client may not relay, that may be a forged address,
/// and the report must not be worth sending the message for. So it lists the first recipients, counts the others, and
/// is short. A client that may relay is told of every recipient (RFC 3461 §5.2), in several reports where one row does
/// not hold them.
struct NotificationWriter {
    /// Reports of one kind, ready to be queued.
    struct Reports {
        let action: DeliveryStatusNotification.Action
        var messages: [AcceptedMessage]
        /// Why those were dropped for which there is no budget.
        var dropped: [ReportBudget.Refusal] = []
    }

    /// Bytes of the original that are looked at for its header.
    static let headerBytes = 32 * 1024
    /// Recipients listed, and bytes of the report, where the client may not relay.
    static let strangersRecipients = 16
    static let strangersBytes = 16 * 1024
    /// Bytes of the original's header that are given back where no more fits: enough to tell which message it was.
    private static let shortHeader = 512
    /// Recipients in one report, where it may.
    private static let recipientsPerReport = 100

    let entry: QueueEntry
    let plan: NotificationPlan
    let from: Mailbox?
    let reportingMTA: DomainName
    let now: Timestamp
    let random: RandomSource
    /// Bytes that a report may have where the client may not relay; see `ReportBudget`.
    var capacity = strangersBytes

    /// The reports, to be queued in the transaction that records the attempt. None about a message without a sender, or with
    /// one that cannot be written to.
    func reports(returning content: ReturnedContent) -> [Reports] {
        guard case .mailbox(let sender)? = self.entry.reversePath,
            let domain = self.domain(of: sender)
        else { return [] }
        return DeliveryStatusNotification.Action.allCases.compactMap { action in
            let recipients = self.recipients(action)
            guard !recipients.isEmpty else { return nil }
            let messages =
                self.entry.attributes.mayRelay
                ? self.messages(action, to: sender, domain, on: recipients, returning: content)
                : self.shortMessage(action, to: sender, domain, on: recipients, returning: content)
            return Reports(action: action, messages: messages)
        }
    }

    /// Where reports to a sender go. A literal is an address of anybody's choice, so only a client that may relay has reports
    /// sent there. The name that a literal is stored under is nobody's.
    private func domain(of sender: Mailbox) -> DomainName? {
        switch sender.domain {
        case .name(let name): name.isOfLiterals ? nil : name
        case .literal: self.entry.attributes.mayRelay ? sender.queueDomain : nil
        }
    }

    /// Reports on all the recipients.
    private func messages(
        _ action: DeliveryStatusNotification.Action, to sender: Mailbox, _ domain: DomainName,
        on recipients: [DeliveryStatusNotification.Recipient], returning content: ReturnedContent
    ) -> [AcceptedMessage] {
        // The whole message leaves less space than its header.
        for content in recipients.count <= Self.recipientsPerReport ? [content, content.onlyHeader] : [] {
            if let message = self.message(action, to: sender, domain, on: recipients, returning: content) {
                return [message]
            }
        }
        let half = recipients.count / 2
        guard half > 0 else { return [] }
        return self.messages(action, to: sender, domain, on: Array(recipients[..<half]), returning: content)
            + self.messages(action, to: sender, domain, on: Array(recipients[half...]), returning: content)
    }

    /// One report, which lists as many of the recipients as fit. If none fits it is as short as can be, and the budget
    /// says whether it goes.
    private func shortMessage(
        _ action: DeliveryStatusNotification.Action, to sender: Mailbox, _ domain: DomainName,
        on recipients: [DeliveryStatusNotification.Recipient], returning content: ReturnedContent
    ) -> [AcceptedMessage] {
        let limit = min(self.capacity, Self.strangersBytes)
        for header in [DeliveryStatusNotification.maximumHeader, Self.shortHeader] {
            var listed = min(recipients.count, Self.strangersRecipients)
            while listed > 0 {
                let isShortest = listed == 1 && header == Self.shortHeader
                let message = self.message(
                    action, to: sender, domain, on: Array(recipients[..<listed]), unlisted: recipients.count - listed,
                    returning: content.onlyHeader, header: header, atMost: isShortest ? Self.strangersBytes : limit)
                if let message { return [message] }
                listed /= 2
            }
        }
        return []
    }

    /// One report; `nil` where it is too large.
    private func message(
        _ action: DeliveryStatusNotification.Action, to sender: Mailbox, _ domain: DomainName,
        on recipients: [DeliveryStatusNotification.Recipient], unlisted: Int = 0,
        returning content: ReturnedContent, header: Int = DeliveryStatusNotification.maximumHeader,
        atMost limit: Int = QueueLimits.inlineBody
    ) -> AcceptedMessage? {
        var random = self.random
        let id = MessageID(at: self.now, random: .random(in: .min ... .max, using: &random))
        let boundary = "=_\(String(UInt128.random(in: .min ... .max, using: &random), radix: 32))"
        var report = DeliveryStatusNotification(
            action, to: .mailbox(sender), from: self.from, reportingMTA: self.reportingMTA, date: self.now, id: id,
            on: recipients, of: self.original(content))
        report?.unlistedRecipients = unlisted
        report?.headerLimit = header
        guard let report else { return nil }
        let bytes = report.bytes(boundary: boundary)
        guard bytes.count <= limit else { return nil }
        var attributes = MessageAttributes()
        attributes.isEightBit = bytes.contains { $0 >= 0x80 }
        attributes.isSMTPUTF8 = report.isInternational
        // Without NOTIFY, which the null reverse path makes one of NEVER (RFC 3461 §6.1).
        let recipients = [QueueRecipient(EnvelopeRecipient(.mailbox(sender)))].compactMap(\.self)
        return AcceptedMessage(
            id: id, sender: "", attributes: attributes,
            entries: [AcceptedEntry(domain: domain, recipients: recipients)], body: .inline(bytes),
            receptionNote: "report on \(self.entry.key.message)")
    }

    private func original(_ content: ReturnedContent) -> DeliveryStatusNotification.Original {
        var original = DeliveryStatusNotification.Original(arrival: self.entry.arrival, content: content)
        original.envelopeID = self.entry.attributes.envelopeID
        original.isInternational = self.entry.attributes.isSMTPUTF8
        return original
    }

    private func recipients(_ action: DeliveryStatusNotification.Action) -> [DeliveryStatusNotification.Recipient] {
        zip(self.entry.recipients, self.plan.notices).compactMap { stored, notice in
            guard let notice, notice.action == action, let recipient = stored.envelope,
                let mailbox = recipient.path.mailbox
            else { return nil }
            var told = DeliveryStatusNotification.Recipient(mailbox, notice)
            told.originalRecipient = recipient.originalRecipient
            return told
        }
    }
}

extension ReturnedContent {
    /// The same without what stands behind the header.
    fileprivate var onlyHeader: ReturnedContent {
        switch self {
        case .header(let bytes), .message(let bytes): .header(bytes)
        }
    }
}

extension DeliveryStatusNotification.Recipient {
    fileprivate init(_ mailbox: Mailbox, _ notice: RecipientNotice) {
        switch notice {
        case .failed(let failure, let reason):
            self.init(mailbox, failure)
            self.isExpired = reason == .expired
        case .delayed(let failure, let end):
            self.init(mailbox, failure)
            self.willRetryUntil = end
        case .relayed(let acceptance):
            self.init(finalRecipient: mailbox, status: acceptance.status, diagnostic: .reply(acceptance.reply))
            self.remoteMTA = acceptance.host.flatMap { Mailbox.Domain($0) }
        }
    }

    private init(_ mailbox: Mailbox, _ failure: DeliveryFailure) {
        self.init(
            finalRecipient: mailbox, status: failure.status,
            diagnostic: failure.reply.map { .reply($0) } ?? .finding(failure.text))
        self.remoteMTA = failure.host.flatMap { Mailbox.Domain($0) }
    }
}
