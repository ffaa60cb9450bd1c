import DeliveryQueue
import MailModel
import QueueStore

/// The messages that tell a sender which recipients were given up (RFC 3464).
struct FailureReport {
    /// Bytes of the original header that are looked at for the report.
    static let headerLimit = 32 * 1024
    /// Recipients in one report; more make more reports, so that each is of bounded size.
    private static let recipientsPerReport = 16

    let entry: QueueEntry
    let decision: EntryDecision
    let from: Mailbox?
    let reportingMTA: DomainName
    let now: Timestamp

    /// The reports, to be queued in the transaction that takes the recipients out of the queue. None about a message
    /// without a sender, or with one that cannot be written to.
    func messages(originalHeader: [UInt8]) -> [AcceptedMessage] {
        guard case .mailbox(let sender)? = ReversePath(storedText: self.entry.sender),
            let domain = sender.domainName
        else { return [] }
        let recipients = self.decision.bounced.compactMap { self.recipient(at: $0) }
        return stride(from: 0, to: recipients.count, by: Self.recipientsPerReport).flatMap { start in
            let group = recipients[start..<min(start + Self.recipientsPerReport, recipients.count)]
            return self.messages(to: sender, domain, on: Array(group), header: originalHeader)
        }
    }

    /// One report, or two of half as many recipients each where one would not fit into its row.
    private func messages(
        to sender: Mailbox, _ domain: DomainName, on recipients: [DeliveryStatusNotification.Recipient],
        header: [UInt8]
    ) -> [AcceptedMessage] {
        var generator = SystemRandomNumberGenerator()
        let id = MessageID(milliseconds: UInt64(max(0, self.now.microseconds / 1000)), using: &generator)
        let boundary = "=_\(MessageID(high: generator.next(), low: generator.next()))"
        let report = DeliveryStatusNotification(
            to: .mailbox(sender), from: self.from, reportingMTA: self.reportingMTA, arrival: self.entry.arrival,
            date: self.now, id: id,
            recipients: recipients, originalHeader: header)
        guard let bytes = report?.bytes(boundary: boundary) else { return [] }
        guard bytes.count > QueueLimits.inlineBody else {
            let entry = AcceptedEntry(domain: domain, recipients: [QueueRecipient(address: "\(sender)")])
            return [
                AcceptedMessage(
                    id: id, sender: "", entries: [entry], body: .inline(bytes),
                    receptionNote: "report on \(self.entry.key.message)")
            ]
        }
        let half = recipients.count / 2
        guard half > 0 else {
            return header.isEmpty ? [] : self.messages(to: sender, domain, on: recipients, header: [])
        }
        return self.messages(to: sender, domain, on: Array(recipients[..<half]), header: header)
            + self.messages(to: sender, domain, on: Array(recipients[half...]), header: header)
    }

    private func recipient(at index: Int) -> DeliveryStatusNotification.Recipient? {
        guard case .bounce(let failure, _) = self.decision.recipients[index],
            let mailbox = Mailbox(self.entry.recipients[index].address)
        else { return nil }
        return DeliveryStatusNotification.Recipient(
            finalRecipient: .mailbox(mailbox), status: failure.status, reason: failure.reason,
            remoteMTA: failure.host.flatMap { DomainName($0) }, diagnostic: failure.text)
    }
}
