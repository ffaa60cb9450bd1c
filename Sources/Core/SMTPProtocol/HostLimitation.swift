public import MailModel

/// What a message needs and a host does not offer. We find it in the host's answer to EHLO; the host was not asked, so no reply
/// of its own stands behind it. Another host of the domain may offer it.
public enum HostLimitation: Hashable, Sendable {
    /// What of a message needs SMTPUTF8.
    public enum International: String, Hashable, Sendable {
        case sender = "the sender's address"
        case header = "the header"
        case recipient = "this recipient's address"
    }

    /// The text is 8-bit, and 8BITMIME is not offered (RFC 6152 §3).
    case noEightBitMIME
    /// The same, and the relay was to make the text 7-bit and does not.
    case unconvertible(SevenBitRefusal)
    /// Something is in UTF-8, and SMTPUTF8 is not offered (RFC 6531 §3.5): no address is ever rewritten.
    case noSMTPUTF8(neededBy: International)
    /// The message is larger than the host's SIZE (RFC 1870 §6.1).
    case maximumSize(Int)

    /// The code, if no host of the domain does better.
    public var status: EnhancedStatusCode {
        switch self {
        case .noEightBitMIME, .unconvertible: EnhancedStatusCode(.permanentFailure, 6, 3)
        case .noSMTPUTF8: EnhancedStatusCode(.permanentFailure, 6, 7)
        case .maximumSize: EnhancedStatusCode(.permanentFailure, 3, 4)
        }
    }
}

extension HostLimitation: CustomStringConvertible {
    /// The same for people.
    public var description: String {
        switch self {
        case .noEightBitMIME: "the host does not take 8-bit text"
        case .unconvertible(let refusal):
            "the host does not take 8-bit text, and the message is not converted: \(refusal)"
        case .noSMTPUTF8(let part): "the host does not offer SMTPUTF8, which \(part.rawValue) needs"
        case .maximumSize(let limit): "the host takes at most \(limit) bytes"
        }
    }
}
