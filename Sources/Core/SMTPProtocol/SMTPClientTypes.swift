public import MailModel

/// One message for one transaction; the content itself stays with the owner.
public struct SMTPClientMessage: Hashable, Sendable {
    /// The reverse path.
    public let reversePath: ReversePath
    /// The recipients, in the order of the outcomes; no more than the host takes in one transaction.
    public let recipients: [EnvelopeRecipient]
    /// What the content needs.
    public private(set) var body: Envelope.BodyType
    /// The bytes of the content as it is given to the host, before dots are stuffed.
    public private(set) var size: Int
    /// Why the content is not made 7-bit for a host without 8BITMIME, where that was asked for.
    public private(set) var conversionRefusal: SevenBitRefusal?
    /// Whether the header section holds UTF-8 and so needs SMTPUTF8, whatever the addresses (RFC 6531 §3.4).
    public var hasInternationalHeader = false
    /// RET=, for hosts with DSN.
    public var returnContent: ReturnContent?
    /// ENVID=, decoded, for hosts with DSN.
    public var envelopeID: String?

    /// A message.
    public init(
        reversePath: ReversePath, recipients: [EnvelopeRecipient], body: Envelope.BodyType, size: Int
    ) {
        self.reversePath = reversePath
        self.recipients = recipients
        self.body = body
        self.size = size
    }

    /// Whether this host can be given the content only as 7-bit (RFC 6152 §3).
    public func needsConversion(for capabilities: SMTPServerCapabilities) -> Bool {
        self.body == .eightBitMIME && !capabilities.eightBitMIME
    }

    /// The content goes to the host as the plan says, or there is a reason why it cannot.
    public mutating func convert(by plan: Result<SevenBitPlan, SevenBitRefusal>) {
        switch plan {
        case .success(let plan): (self.body, self.size) = (.sevenBit, plan.size)
        case .failure(let refusal): self.conversionRefusal = refusal
        }
    }
}

/// Why a connection is of no more use.
public enum SMTPClientFailure: Hashable, Sendable {
    /// No 220. A 5yz is permanent for this host (§3.1), a 4yz is not.
    case greetingRefused(RemoteReply)
    /// EHLO, and where it was tried HELO, were refused.
    case helloRefused(RemoteReply)
    /// Bytes stood behind the 220 of STARTTLS: somebody may be injecting them.
    case bytesBehindSTARTTLS
    /// 421: the server closes (§3.8). Recipients without an outcome are to be tried again.
    case serviceClosing(RemoteReply, at: SMTPClientStage)
    /// The host offers CHUNKING and refuses BDAT. Nothing was delivered, and over another connection DATA may do (RFC 3030 §2).
    case chunkingRefused(RemoteReply)
    /// What came is not an answer to what was asked.
    case protocolError(SMTPClientStage)
    /// The connection ended. After the final dot nobody knows whether the message was taken.
    case connectionLost(SMTPClientStage, afterFinalDot: Bool)
    /// The owner gave up before the final dot; nothing was delivered.
    case abandoned

    /// Whether TLS was asked for and something else came, or nothing: that is a failed handshake, whoever caused it.
    public var endsTLSNegotiation: Bool {
        switch self {
        case .bytesBehindSTARTTLS: true
        case .protocolError(let stage), .connectionLost(let stage, _): stage == .startTLS || stage == .handshake
        default: false
        }
    }

    /// Whether nobody knows if the message was taken: the final dot was sent, and no reply to it can be understood.
    /// The message is tried again, marked, and counted; this is the only way in which it may arrive twice.
    public var isAmbiguous: Bool {
        switch self {
        case .connectionLost(_, let afterFinalDot): afterFinalDot
        case .protocolError(let stage): stage == .finalDot
        case .greetingRefused, .helloRefused, .bytesBehindSTARTTLS, .serviceClosing, .abandoned, .chunkingRefused:
            false
        }
    }
}

/// How far a connection is.
public enum SMTPClientStage: Hashable, Sendable {
    case greeting, hello, startTLS, handshake, ready, mail, recipient, data, content, finalDot, reset, quit, finished
}

/// What the owner of a client session does next.
public enum SMTPClientAction: Hashable, Sendable {
    /// Wait for bytes.
    case needInput
    /// Write and flush these bytes, then offer what was received.
    case send([UInt8])
    /// Begin the handshake, and say `tlsEstablished`; close if it fails.
    case startTLS
    /// There is no TLS to be had: the host does not offer it, or refuses STARTTLS or even EHLO with this reply. Whoever does not owe
    /// it says `continueInClear`; else the connection is over.
    case startTLSUnavailable(RemoteReply?)
    /// A message may begin with `begin`, or `quit`.
    case ready(SMTPServerCapabilities)
    /// The 354 came, or a recipient for chunks: write the content through `encode`, then, if the message may still be sent,
    /// `finishData`.
    case transferContent
    /// One transaction is over, one outcome for each recipient in order; the next may begin in `.ready`. It may be over
    /// before the content is: see `takesContent`. Who has none was one too many beside others, who were accepted: another
    /// transaction may take it at once (RFC 5321 §4.5.3.1.10).
    case messageDone([AttemptOutcome?])
    /// Close the connection. `recipientOutcomes` has what was decided before.
    case failed(SMTPClientFailure)
    /// QUIT was answered, or the server closed after it: close the connection.
    case closed
}

/// One step of a client session.
public struct SMTPClientStep: Hashable, Sendable {
    /// How many of the offered bytes are done with.
    public let consumed: Int
    /// What to do next.
    public let action: SMTPClientAction
    /// Whether a whole reply was among them. Only that is progress: single bytes move no deadline.
    public let isWholeReply: Bool

    init(_ consumed: Int, _ action: SMTPClientAction, isWholeReply: Bool = false) {
        self.consumed = consumed
        self.action = action
        self.isWholeReply = isWholeReply
    }
}
