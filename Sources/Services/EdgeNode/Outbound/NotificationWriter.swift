import DeliveryQueue
import MailModel
import QueueStore

/// Writes the reports by which a sender hears of one attempt at an entry: one of each kind, or several where there are many
/// recipients, so that each fits into the row of its message.
struct NotificationWriter {
    /// Reports of one kind, ready to be queued.
    struct Reports {
        let action: DeliveryStatusNotification.Action
        let messages: [AcceptedMessage]
    }

    /// Bytes of the original header that are looked at, and what is left of that where it does not fit.
    static let headerLimits = [32 * 1024, 8 * 1024]
    /// Recipients in one report.
    private static let recipientsPerReport = 16

    let entry: QueueEntry
    let plan: NotificationPlan
    let from: Mailbox?
    let reportingMTA: DomainName
    let now: Timestamp

    /// The reports, to be queued in the transaction that records the attempt. None about a message without a sender, or with
    /// one that cannot be written to.
    func reports(returning content: ReturnedContent) -> [Reports] {
        guard case .mailbox(let sender)? = ReversePath(storedText: self.entry.sender),
            let domain = sender.domainName
        else { return [] }
        return DeliveryStatusNotification.Action.allCases.compactMap { action in
            let recipients = self.recipients(action)
            guard !recipients.isEmpty else { return nil }
            let groups = stride(from: 0, to: recipients.count, by: Self.recipientsPerReport).map { start in
                Array(recipients[start...].prefix(Self.recipientsPerReport))
            }
            let contents = content.shorterAndShorter
            return Reports(
                action: action,
                messages: groups.flatMap { self.messages(action, to: sender, domain, on: $0, returning: contents) })
        }
    }

    /// One report with as much of the original as fits into its row, or two on half as many recipients each.
    private func messages(
        _ action: DeliveryStatusNotification.Action, to sender: Mailbox, _ domain: DomainName,
        on recipients: [DeliveryStatusNotification.Recipient], returning contents: [ReturnedContent]
    ) -> [AcceptedMessage] {
        for content in contents {
            if let message = self.message(action, to: sender, domain, on: recipients, returning: content) {
                return [message]
            }
        }
        let half = recipients.count / 2
        guard half > 0 else { return [] }
        return self.messages(action, to: sender, domain, on: Array(recipients[..<half]), returning: contents)
            + self.messages(action, to: sender, domain, on: Array(recipients[half...]), returning: contents)
    }

    /// One report; `nil` where it is too large for its row.
    private func message(
        _ action: DeliveryStatusNotification.Action, to sender: Mailbox, _ domain: DomainName,
        on recipients: [DeliveryStatusNotification.Recipient], returning content: ReturnedContent
    ) -> AcceptedMessage? {
        let id = MessageID(at: self.now, random: .random(in: .min ... .max))
        let boundary = "=_\(String(UInt128.random(in: .min ... .max), radix: 32))"
        let report = DeliveryStatusNotification(
            action, to: .mailbox(sender), from: self.from, reportingMTA: self.reportingMTA, date: self.now, id: id,
            on: recipients, of: self.original(content))
        guard let report else { return nil }
        let bytes = report.bytes(boundary: boundary)
        guard bytes.count <= QueueLimits.inlineBody else { return nil }
        var attributes = MessageAttributes()
        attributes.isEightBit = bytes.contains { $0 >= 0x80 }
        attributes.isSMTPUTF8 = report.isInternational
        // Without NOTIFY, which the null reverse path makes one of NEVER (RFC 3461 §6.1).
        let entry = AcceptedEntry(domain: domain, recipients: [QueueRecipient(address: "\(sender)")])
        return AcceptedMessage(
            id: id, sender: "", attributes: attributes, entries: [entry], body: .inline(bytes),
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
            guard let notice, notice.action == action, let recipient = stored.envelopeRecipient,
                let mailbox = recipient.path.mailbox
            else { return nil }
            var told = DeliveryStatusNotification.Recipient(mailbox, notice)
            told.originalRecipient = recipient.originalRecipient
            return told
        }
    }
}

extension ReturnedContent {
    /// The same, and then less and less of it, for reports in which it finds no room.
    fileprivate var shorterAndShorter: [ReturnedContent] {
        let bytes =
            switch self {
            case .header(let bytes), .message(let bytes): bytes
            }
        return [self] + NotificationWriter.headerLimits.map { .header(Array(bytes.prefix($0))) }
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
