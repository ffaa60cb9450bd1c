/// A report to the sender that some recipients were not reached (RFC 3464 in a multipart/report of RFC 6522).
///
/// There is none about a message with the null reverse path: its initialiser then gives `nil` (RFC 5321 §4.5.5).
public struct DeliveryStatusNotification: Hashable, Sendable {
    /// What became of a recipient (RFC 3464 §2.3.3).
    public enum Action: String, Hashable, Sendable {
        /// Given up.
        case failed
        // `delayed` and `relayed` stand here when RFC 3461 comes.
    }

    /// One recipient's part of the report.
    public struct Recipient: Hashable, Sendable {
        /// The address that failed.
        public let finalRecipient: ForwardPath
        /// What became of it.
        public let action: Action
        /// The status, such as 5.7.323.
        public let status: EnhancedStatusCode
        /// The short name of the reason, such as `tlsa-invalid`, where one applies.
        public let reason: String?
        /// The host that refused or failed, where one was reached or chosen.
        public let remoteMTA: DomainName?
        /// What that host or this relay said; it may hold anything, and is made safe here.
        public let diagnostic: String

        /// One failed recipient.
        public init(
            finalRecipient: ForwardPath, action: Action = .failed, status: EnhancedStatusCode, reason: String?,
            remoteMTA: DomainName?, diagnostic: String
        ) {
            self.finalRecipient = finalRecipient
            self.action = action
            self.status = status
            self.reason = reason
            self.remoteMTA = remoteMTA
            self.diagnostic = diagnostic
        }
    }

    /// Whom it goes to; the report's own reverse path is null.
    public let sender: Mailbox
    /// Whom it comes from, as its header says.
    public let from: Mailbox?
    /// The host that gave up.
    public let reportingMTA: DomainName
    /// When the original message came.
    public let arrival: Timestamp
    /// When the report is made.
    public let date: Timestamp
    /// The report's own id; it also makes its Message-ID field.
    public let id: MessageID
    /// The recipients, at least one.
    public let recipients: [Recipient]
    /// The header section of the original message, as it came.
    public let originalHeader: [UInt8]

    /// A report to `reversePath`; `nil` where that is null or there is nobody to report on. Without `from` it comes from
    /// the postmaster of the reporting host.
    public init?(
        to reversePath: ReversePath, from: Mailbox? = nil, reportingMTA: DomainName, arrival: Timestamp,
        date: Timestamp, id: MessageID,
        recipients: [Recipient], originalHeader: [UInt8]
    ) {
        guard case .mailbox(let sender) = reversePath, !recipients.isEmpty else { return nil }
        self.sender = sender
        self.from = from
        self.reportingMTA = reportingMTA
        self.arrival = arrival
        self.date = date
        self.id = id
        self.recipients = recipients
        self.originalHeader = originalHeader
    }
}
