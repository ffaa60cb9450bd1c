/// What SMTP says about a message besides its content (RFC 5321 §2.3.1).
public struct Envelope: Hashable, Sendable {
    /// What the client declared of the content (RFC 6152).
    public enum BodyType: String, Hashable, Sendable {
        /// Seven-bit text, also when nothing was declared.
        case sevenBit = "7BIT"
        /// Eight-bit text.
        case eightBitMIME = "8BITMIME"
    }

    /// How the client introduced itself.
    public struct Hello: Hashable, Sendable {
        /// The argument of EHLO or HELO as text; it may hold any printable ASCII, and proves nothing.
        public let name: String
        /// Whether it was EHLO.
        public let isExtended: Bool

        /// An introduction.
        public init(name: String, isExtended: Bool) {
            self.name = name
            self.isExtended = isExtended
        }
    }

    /// The most bytes of ENVID= on the wire (RFC 3461 §4.4).
    public static let maximumIDLength = 100

    /// Where failures go.
    public var reversePath: ReversePath
    /// The recipients accepted so far, in order.
    public var recipients: [EnvelopeRecipient]
    /// 7BIT or 8BITMIME.
    public var body: BodyType
    /// SMTPUTF8 was declared: addresses and header fields may hold UTF-8 (RFC 6531 §3.4).
    public var isInternational = false
    /// RET=, where declared.
    public var returnContent: ReturnContent?
    /// ENVID= (RFC 3461 §4.4), decoded, where declared; at most 100 bytes on the wire.
    public var envelopeID: String?
    /// SIZE= in bytes (RFC 1870), where declared.
    public var declaredSize: Int?
    /// The client's introduction.
    public var hello: Hello

    /// Takes back what only clients that may relay can ask of reports: those of success, and the whole message.
    ///
    /// The reverse path of anybody else may be forged, and a report goes to whoever is named there. It then has to be worth
    /// less than what was sent for it.
    public mutating func limitReports() {
        if self.returnContent == .full { self.returnContent = .headers }
        for index in self.recipients.indices { self.recipients[index].notify?.subtract(.success) }
    }

    // REQUIRETLS (RFC 8689) is not supported yet; it belongs here.

    /// An envelope.
    public init(
        reversePath: ReversePath, recipients: [EnvelopeRecipient] = [], body: BodyType = .sevenBit,
        declaredSize: Int? = nil,
        hello: Hello
    ) {
        self.reversePath = reversePath
        self.recipients = recipients
        self.body = body
        self.declaredSize = declaredSize
        self.hello = hello
    }
}

/// What is known of the TLS session that a message came over.
public struct TLSInfo: Hashable, Sendable {
    /// The protocol version, such as `TLSv1.3`.
    public let version: String
    /// The cipher suite, such as `TLS_AES_256_GCM_SHA384`.
    public let cipher: String

    /// A session by version and cipher suite.
    public init(version: String, cipher: String) {
        self.version = version
        self.cipher = cipher
    }
}
