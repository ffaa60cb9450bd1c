/// As much of a message as its report may give back (RFC 3461 §4.3).
public enum ReturnedContent: Hashable, Sendable {
    /// The beginning of the message, of which the header section is given back as far as it goes.
    case header([UInt8])
    /// The whole message, which is given back in a report of failure, if it can stand in one.
    case message([UInt8])

    /// The header section.
    var headerSection: HeaderSection {
        switch self {
        case .header(let bytes), .message(let bytes): HeaderSection(of: bytes)
        }
    }

    /// The whole message, where it is at hand and can be a part of another one. Its lines have at most 998 bytes, each
    /// ended by CRLF, and no NUL (RFC 5322 §2.1.1, RFC 6152 §3).
    var wholeMessage: [UInt8]? {
        guard case .message(let bytes) = self else { return nil }
        var (lineLength, isBehindCR) = (0, false)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\n"):
                guard isBehindCR else { return nil }
                lineLength = 0
            case 0: return nil
            default:
                lineLength += byte == UInt8(ascii: "\r") ? 0 : 1
                guard !isBehindCR, lineLength <= 998 else { return nil }
            }
            isBehindCR = byte == UInt8(ascii: "\r")
        }
        return isBehindCR ? nil : bytes
    }
}
