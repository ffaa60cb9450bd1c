public import ClusterModel
public import DeliveryQueue
public import MailModel

/// One recipient of a message: what RCPT said, and how that is stored. Stored text is parsed where it is read, and nowhere else.
public struct QueueRecipient: Hashable, Sendable {
    /// The recipient; `nil` where what is stored is no address that this program reads.
    public let envelope: EnvelopeRecipient?
    /// The forward path's mailbox, such as `bob@bravo.test`.
    public let address: String
    /// NOTIFY of RFC 3461, if given, such as `FAILURE,DELAY`.
    public let notify: String?
    /// ORCPT of RFC 3461, if given.
    public let originalRecipient: String?

    /// A recipient as it is stored.
    public init(address: String, notify: String? = nil, originalRecipient: String? = nil) {
        self.address = address
        self.notify = notify
        self.originalRecipient = originalRecipient
        self.envelope = Mailbox(address).map { mailbox in
            EnvelopeRecipient(
                .mailbox(mailbox), notify: notify.flatMap { NotifyConditions($0) },
                originalRecipient: originalRecipient.flatMap { OriginalRecipient($0) })
        }
    }

    /// A recipient to be stored; `nil` for the bare postmaster, which has no address.
    public init?(_ recipient: EnvelopeRecipient) {
        guard let mailbox = recipient.path.mailbox else { return nil }
        self.address = "\(mailbox)"
        self.notify = recipient.notify.map { "\($0)" }
        self.originalRecipient = recipient.originalRecipient.map { "\($0)" }
        self.envelope = EnvelopeRecipient(
            .mailbox(mailbox), notify: recipient.notify, originalRecipient: recipient.originalRecipient)
    }
}

extension QueueRecipient: Codable {
    private enum CodingKeys: CodingKey {
        case address, notify, originalRecipient
    }

    /// Reads what is stored.
    public init(from decoder: any Decoder) throws {
        let stored = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            address: try stored.decode(String.self, forKey: .address),
            notify: try stored.decodeIfPresent(String.self, forKey: .notify),
            originalRecipient: try stored.decodeIfPresent(String.self, forKey: .originalRecipient))
    }

    /// Writes what is stored.
    public func encode(to encoder: any Encoder) throws {
        var stored = encoder.container(keyedBy: CodingKeys.self)
        try stored.encode(self.address, forKey: .address)
        try stored.encodeIfPresent(self.notify, forKey: .notify)
        try stored.encodeIfPresent(self.originalRecipient, forKey: .originalRecipient)
    }
}

extension ReversePath {
    /// The mailbox as the queue stores it; nothing for the null path.
    public var storedText: String {
        switch self {
        case .null: ""
        case .mailbox(let mailbox): "\(mailbox)"
        }
    }

    /// Reads what the queue stored.
    init?(storedText: String) {
        if storedText.isEmpty {
            self = .null
        } else if let mailbox = Mailbox(storedText) {
            self = .mailbox(mailbox)
        } else {
            return nil
        }
    }
}

/// What came with MAIL FROM, and who brought the message.
public struct MessageAttributes: Hashable, Sendable, Codable {
    /// The content holds eight-bit text, or was declared so (RFC 6152).
    public var isEightBit = false
    /// The header section holds UTF-8, and needs a host with SMTPUTF8 (RFC 6531).
    public var isSMTPUTF8 = false
    /// REQUIRETLS (RFC 8689).
    public var requiresTLS = false
    /// RET of RFC 3461.
    public var dsnReturn: ReturnContent?
    /// ENVID of RFC 3461.
    public var envelopeID: String?
    /// The client's address, or nothing for a message of our own.
    public var clientAddress: String?
    /// The client's EHLO name.
    public var clientName: String?
    /// The client may relay, so that its reverse path is taken at its word.
    public var mayRelay = false

    /// Nothing special.
    public init() {}

    /// Reads what this or an older program stored: what it did not know is as if it had not been given.
    public init(from decoder: any Decoder) throws {
        let stored = try decoder.container(keyedBy: CodingKeys.self)
        self.isEightBit = try stored.decodeIfPresent(Bool.self, forKey: .isEightBit) ?? false
        self.isSMTPUTF8 = try stored.decodeIfPresent(Bool.self, forKey: .isSMTPUTF8) ?? false
        self.requiresTLS = try stored.decodeIfPresent(Bool.self, forKey: .requiresTLS) ?? false
        self.dsnReturn = try stored.decodeIfPresent(String.self, forKey: .dsnReturn)
            .flatMap { ReturnContent(rawValue: $0) }
        self.envelopeID = try stored.decodeIfPresent(String.self, forKey: .envelopeID)
        self.clientAddress = try stored.decodeIfPresent(String.self, forKey: .clientAddress)
        self.clientName = try stored.decodeIfPresent(String.self, forKey: .clientName)
        self.mayRelay = try stored.decodeIfPresent(Bool.self, forKey: .mayRelay) ?? false
    }
}

/// The mail of one message for one recipient domain.
public struct AcceptedEntry: Hashable, Sendable {
    /// The recipients' domain.
    public var domain: DomainName
    /// The recipients, at least one.
    public var recipients: [QueueRecipient]

    /// The mail for one domain.
    public init(domain: DomainName, recipients: [QueueRecipient]) {
        self.domain = domain
        self.recipients = recipients
    }
}

/// Who brought a message, and by which rule it was let in, for its trace.
public struct Reception: Hashable, Sendable {
    /// The client's address.
    public var client: String?
    /// Its name in HELO or EHLO, made harmless.
    public var hello: String?
    /// Its user, after AUTH.
    public var user: String?
    /// The rule that let it in, such as `network 192.0.2.0/24`, `certificate CN=edge`, `user` or `accepted-domain`.
    public var admittedBy: String?
    /// The body of the message's Message-ID field, made harmless.
    public var messageIDField: String?

    /// The most bytes that are kept of a client's name.
    public static let maximumName = 255

    /// Nobody: a message of our own.
    public init() {}

    /// As much as is kept of a client's name, which is made harmless already.
    public static func told(_ name: String) -> String {
        String(decoding: name.utf8.prefix(Self.maximumName), as: UTF8.self)
    }
}

/// A message to be stored, before anybody is told that it was accepted.
public struct AcceptedMessage: Sendable {
    /// Where the content is.
    public enum Body: Sendable {
        /// Here; at most `QueueLimits.inlineBody` bytes.
        case inline([UInt8])
        /// In chunks that a `BodyWriter` stored before.
        case staged(StagedBody)
    }

    /// Made by the node, before the first attempt to store; kept when storing is repeated.
    public var id: MessageID
    /// The reverse path's mailbox; empty for the null sender.
    public var sender: String
    /// What came with it.
    public var attributes: MessageAttributes
    /// One for each recipient domain.
    public var entries: [AcceptedEntry]
    /// Header and text, with lines ended by CR LF.
    public var body: Body
    /// Who brought it.
    public var reception: Reception
    /// A sentence for the trace: where it comes from and how it was protected.
    public var receptionNote: String

    /// A message.
    public init(
        id: MessageID, sender: String, attributes: MessageAttributes = MessageAttributes(), entries: [AcceptedEntry],
        body: Body, reception: Reception = Reception(), receptionNote: String = ""
    ) {
        self.id = id
        self.sender = sender
        self.attributes = attributes
        self.entries = entries
        self.body = body
        self.reception = reception
        self.receptionNote = receptionNote
    }

    /// The size of the content in bytes.
    public var size: Int {
        switch self.body {
        case .inline(let bytes): bytes.count
        case .staged(let staged): staged.size
        }
    }

    /// The shards that the message goes to, in order: it is stored once in each.
    public func shards(in map: ShardMap) -> [Shard] {
        Set(self.entries.map { map.shard(for: $0.domain, message: self.id) }).sorted()
    }
}

/// Limits of what is stored.
public enum QueueLimits {
    /// The largest body that is stored in the message's own row; the size of a chunk of a larger one.
    public static let inlineBody = 64 * 1024
    /// Bytes of bodies in one claim.
    public static let claimedBytes = 16 * 1024 * 1024
    /// Overdue entries that are given, and entries that are looked at for them.
    public static let (overdueEntries, overdueLooks) = (64, 4096)
    /// Destinations in a page of a walk.
    public static let walkedDestinations = 5000
    /// Entries of a shard that are looked at for what became due lately.
    public static let lateEntries = 1000
    /// Deferred entries come back so long before they are due.
    public static let promotionHorizon = Duration.seconds(120)
}

/// The identity of one entry: one message for one recipient domain.
public struct EntryKey: Hashable, Sendable {
    /// Where it is stored.
    public let shard: Shard
    /// The message.
    public let message: MessageID
    /// The recipients' domain.
    public let domain: DomainName

    /// An identity.
    public init(shard: Shard, message: MessageID, domain: DomainName) {
        self.shard = shard
        self.message = message
        self.domain = domain
    }
}

/// An attempt that was begun and whose outcome nobody recorded.
public struct OpenAttempt: Hashable, Sendable {
    /// Who began it.
    public let node: String
    /// In which term.
    public let epoch: Epoch
    /// Which attempt, from 1.
    public let attempt: Int
    /// When, by the database's clock.
    public let openedAt: Timestamp
}

/// An entry as its owner reads it: all but the body.
public struct QueueEntry: Hashable, Sendable, Identifiable {
    /// Which one.
    public let key: EntryKey
    /// The same.
    public var id: EntryKey { self.key }
    /// The reverse path's mailbox as it is stored; empty for the null sender.
    public let sender: String
    /// The reverse path; `nil` where what is stored is none that this program reads.
    public let reversePath: ReversePath?
    /// What came with MAIL FROM.
    public let attributes: MessageAttributes
    /// The size of the content in bytes.
    public let size: Int
    /// When it was stored, by the database's clock.
    public let arrival: Timestamp
    /// When it was or is due.
    public let nextAttempt: Timestamp
    /// Attempts made and recorded.
    public let attempts: Int
    /// The recipients that remain.
    public let recipients: [QueueRecipient]
    /// Whether the sender was told of the delay.
    public let isDelayNotified: Bool
    /// The code of the last failure, such as `4.7.323`.
    public let lastStatus: String?
    /// The name of the last failure, such as `tlsa-invalid`.
    public let lastReason: String?
    /// Left by an owner that ended in the middle, or by ourselves: an attempt of an earlier epoch counts as a failure.
    public let openAttempt: OpenAttempt?
    /// An operator's reason, possibly empty, to give the entry up: it is not to be tried again.
    public let verdict: String?

    init(
        key: EntryKey, sender: String, attributes: MessageAttributes, size: Int, arrival: Timestamp,
        nextAttempt: Timestamp, attempts: Int, recipients: [QueueRecipient], isDelayNotified: Bool,
        lastStatus: String?, lastReason: String?, openAttempt: OpenAttempt?, verdict: String?
    ) {
        self.key = key
        self.sender = sender
        self.reversePath = ReversePath(storedText: sender)
        self.attributes = attributes
        self.size = size
        self.arrival = arrival
        self.nextAttempt = nextAttempt
        self.attempts = attempts
        self.recipients = recipients
        self.isDelayNotified = isDelayNotified
        self.lastStatus = lastStatus
        self.lastReason = lastReason
        self.openAttempt = openAttempt
        self.verdict = verdict
    }

    /// An attempt that was begun and has no outcome. One that is on record with an outcome is kept until the next
    /// attempt, so that its late delivery can still be recorded.
    public var interruptedAttempt: OpenAttempt? {
        self.openAttempt.flatMap { $0.attempt > self.attempts ? $0 : nil }
    }
}

extension QueueEntry: ClaimableEntry {
    /// Nobody waits for mail without a sender, such as the reports that somebody else's forged messages cause. An entry
    /// that only gets an outcome needs no connection.
    public var comesLast: Bool { self.sender.isEmpty && self.verdict == nil && self.interruptedAttempt == nil }
}
