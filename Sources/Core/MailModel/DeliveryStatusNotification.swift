/// A report to a sender of what became of a message (RFC 3464 in a multipart/report of RFC 6522), for people and for
/// programs.
///
/// There is none about a message with the null reverse path: the initialiser then gives `nil` (RFC 5321 §4.5.5). One to
/// an international sender is itself international (RFC 6533). One to any other sender is ASCII throughout, since
/// nobody knows whether the hosts on the path back take more.
public struct DeliveryStatusNotification: Hashable, Sendable {
    /// What became of the recipients of one report (RFC 3464 §2.3.3).
    public enum Action: String, Hashable, Sendable, CaseIterable {
        /// Given up.
        case failed
        /// Late, and still being tried.
        case delayed
        /// Handed to a host that makes no reports.
        case relayed
    }

    /// What a host said, or what we found without one. It may hold anything, and is made safe here.
    public enum Diagnostic: Hashable, Sendable {
        /// The host's reply, code and text.
        case reply(String)
        /// Our own words, such as `tlsa-invalid: The domain failed DANE validation.`
        case finding(String)
    }

    /// One recipient's part of the report.
    public struct Recipient: Hashable, Sendable {
        /// The address that the message was to be sent to.
        public let finalRecipient: Mailbox
        /// The address that the sender wrote, as ORCPT told it.
        public var originalRecipient: OriginalRecipient?
        /// The status, such as 5.7.323.
        public let status: EnhancedStatusCode
        /// The host concerned, where one was reached or chosen; the field for programs names it only with a reply of its own.
        public var remoteMTA: Mailbox.Domain?
        /// What was said or found.
        public let diagnostic: Diagnostic
        /// It would have been tried again, had the message not grown too old.
        public var isExpired = false
        /// Until when it is tried, where it is late.
        public var willRetryUntil: Timestamp?

        /// A recipient; set what else is known.
        public init(finalRecipient: Mailbox, status: EnhancedStatusCode, diagnostic: Diagnostic) {
            self.finalRecipient = finalRecipient
            self.status = status
            self.diagnostic = diagnostic
        }
    }

    /// The message that the report is about.
    public struct Original: Hashable, Sendable {
        /// When it came.
        public let arrival: Timestamp
        /// ENVID, decoded.
        public var envelopeID: String?
        /// Its header section holds UTF-8 (RFC 6532).
        public var isInternational = false
        /// As much of it as may be given back.
        public let content: ReturnedContent

        /// A message; set what else is known.
        public init(arrival: Timestamp, content: ReturnedContent) {
            self.arrival = arrival
            self.content = content
        }
    }

    /// What became of the recipients.
    public let action: Action
    /// Whom it goes to; the report's own reverse path is null.
    public let sender: Mailbox
    /// Whom it comes from, as its header says.
    public let from: Mailbox
    /// The host that reports.
    public let reportingMTA: DomainName
    /// When the report is made: at the end of the attempt that it tells of.
    public let date: Timestamp
    /// The report's own id; it also makes its Message-ID field.
    public let id: MessageID
    /// The recipients, at least one.
    public let recipients: [Recipient]
    /// The message that it is about.
    public let original: Original
    /// So many recipients more had the same fate, and are not listed.
    public var unlistedRecipients = 0
    /// The most bytes of the original's header that are given back.
    public var headerLimit = maximumHeader

    /// A report to `reversePath`; `nil` where that is null or there is nobody to report on. Without `from`, or where the
    /// report must be ASCII and `from` is not, it comes from the postmaster of the reporting host.
    public init?(
        _ action: Action, to reversePath: ReversePath, from: Mailbox? = nil, reportingMTA: DomainName, date: Timestamp,
        id: MessageID, on recipients: [Recipient], of original: Original
    ) {
        guard case .mailbox(let sender) = reversePath, !recipients.isEmpty,
            let postmaster = Mailbox(localPart: "postmaster", domain: .name(reportingMTA))
        else { return nil }
        self.action = action
        self.sender = sender
        self.from = from.flatMap { $0.isInternational && !sender.isInternational ? nil : $0 } ?? postmaster
        self.reportingMTA = reportingMTA
        self.date = date
        self.id = id
        self.recipients = recipients
        self.original = original
    }

    /// Whether the report holds UTF-8 in its header, and so needs hosts with SMTPUTF8 (RFC 6531).
    public var isInternational: Bool { self.sender.isInternational }
}
