/// Why an 8-bit message is not made 7-bit for a host without 8BITMIME.
public enum SevenBitRefusal: Error, Hashable, Sendable {
    /// What the relay spends on one message at most; see `SevenBitLimits`.
    public enum Limit: String, Hashable, Sendable {
        case message = "it is too large"
        case header = "a header section of it is too large"
        case line = "a line of it is too long"
        case depth = "its parts are nested too deeply"
        case parts = "it has too many parts"
    }

    /// A signature covers bytes that would change (RFC 6376 §5.3, RFC 8617 §4, RFC 1847 §2.1, RFC 8551 §3.1).
    case signed
    /// It is encrypted; its parts stay as they are (RFC 1847 §2.2).
    case encrypted
    /// It is one fragment of a message, and must be 7-bit as it is (RFC 2046 §5.2.2).
    case fragment
    /// A header section holds 8-bit text, which only SMTPUTF8 carries (RFC 6532).
    case eightBitHeader
    /// 8-bit text stands where no encoding may: outside of all parts, behind another encoding, or in a type that is
    /// always 7-bit (RFC 2046 §5.2.4).
    case unencodable
    /// Two readers could see different parts in it.
    case malformed
    /// It passes a limit.
    case limit(Limit)
}

extension SevenBitRefusal: CustomStringConvertible {
    /// The same for people, as the end of a sentence about the message.
    public var description: String {
        switch self {
        case .signed: "it is signed"
        case .encrypted: "it is encrypted"
        case .fragment: "it is a fragment of a message"
        case .eightBitHeader: "a header section of it is 8-bit"
        case .unencodable: "8-bit text stands where no encoding may"
        case .malformed: "its MIME structure is malformed"
        case .limit(let limit): limit.rawValue
        }
    }
}

/// What the relay spends on making one message 7-bit. Beyond any of these the message stays as it is.
public struct SevenBitLimits: Hashable, Sendable {
    /// Bytes of the whole message, which is read twice.
    public var message = 16 << 20
    /// Bytes of one header section, which is kept in memory.
    public var header = 128 << 10
    /// Bytes of a line with its CRLF, which is kept in memory.
    public var line = 128 << 10
    /// Parts and messages within each other.
    public var depth = 20
    /// Parts that hold no others.
    public var parts = 1000

    /// The usual limits.
    public init() {}
}
