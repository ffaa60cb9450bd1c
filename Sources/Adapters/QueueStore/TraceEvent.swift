public import MailModel

/// What happened to an entry at one moment: a line of the message's life.
public struct TraceEvent: Hashable, Sendable {
    /// The kinds, named as operators see them.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Accepted and stored.
        case receive = "RECEIVE"
        /// An attempt failed; another will follow.
        case `defer` = "DEFER"
        /// Delivered.
        case send = "SEND"
        /// Given up.
        case fail = "FAIL"
        /// Handed to the next hop of an accepted domain.
        case transfer = "TRANSFER"
        /// Held back by an operator.
        case hold = "HOLD"
        /// Let go by an operator.
        case release = "RELEASE"
        /// Made due by an operator.
        case retry = "RETRY"
        /// Removed by an operator, without a word to the sender; or a report to the sender for which there was no budget.
        case drop = "DROP"
    }

    public var kind: Kind
    /// Set by the database when the row is written; of no effect when given.
    public var at: Timestamp?
    public var node: String
    public var message: MessageID
    public var domain: DomainName
    /// The addresses concerned, as `text(of:)` has them.
    public var recipients: String
    /// Which attempt, from 1; 0 for the reception.
    public var attempt: Int
    public var mxHost: String?
    public var address: String?
    /// The DNSSEC states that counted, such as `mx=secure a=secure tlsa=secure`.
    public var dnssec: String?
    /// What the host had to prove.
    public var requirement: String?
    public var tlsVersion: String?
    public var cipher: String?
    /// The TLSA record that matched.
    public var tlsMatch: String?
    /// Why TLS that the host offered was given up, and the mail went on in clear.
    public var tlsFailure: String?
    /// The name of the failure, such as `tlsa-invalid`.
    public var reason: String?
    public var status: EnhancedStatusCode?
    /// The peer's reply, or our own words.
    public var reply: String?
    public var authentication: AuthenticationLabel?
    public var duration: Duration?
    public var nextAttempt: Timestamp?
    /// The reverse path's mailbox, empty for the null sender; of the reception alone, as the next two.
    public var sender: String?
    /// Bytes of content.
    public var size: Int?
    /// Who brought the message.
    public var reception: Reception?

    /// The most bytes of addresses in one row. A message has up to a thousand recipients, and a row for each attempt.
    public static let recipientBytes = 4096

    /// The addresses as a row holds them: as many as fit, and how many there are besides.
    public static func text(of addresses: [String]) -> String {
        var text = ""
        for (index, address) in addresses.enumerated() {
            guard text.utf8.count + address.utf8.count < Self.recipientBytes else {
                return text + (text.isEmpty ? "" : " ") + "and \(addresses.count - index) more"
            }
            text += (index == 0 ? "" : " ") + address
        }
        return text
    }

    /// An event with no more particulars than these; set the others as they are known.
    public init(
        _ kind: Kind, node: String, message: MessageID, domain: DomainName, recipients: String, attempt: Int
    ) {
        self.kind = kind
        self.node = node
        self.message = message
        self.domain = domain
        self.recipients = recipients
        self.attempt = attempt
    }
}
