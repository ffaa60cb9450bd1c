import MailModel
import SMTPProtocol

/// The start of a connection that comes through a proxy: judged the same however it is cut, and read as what was written.
enum ProxyCheck {
    static func check(_ input: [UInt8]) throws(Violation) {
        let whole = ProxyProtocolHeader.read(input.span)
        for pieces in [Pieces.bytes, .random] {
            try promise(self.read(input, pieces) == whole, "a header depends on its pieces")
        }
        switch whole {
        case .refused: break
        case .needInput:
            try promise(input.count < ProxyProtocolHeader.maximumLength, "more is needed than a header may have")
        case .header(let header, let length):
            try promise(length <= input.count, "more is consumed than offered")
            try promise(length <= ProxyProtocolHeader.maximumLength, "a header over its limit")
            try self.rewrite(header, Array(input[..<length]))
        }
    }

    /// The first judgement of what has come so far; nothing that comes later may be asked for, or change it.
    private static func read(_ input: [UInt8], _ pieces: Pieces) -> ProxyProtocolHeader.Reading {
        var offered = 0
        for length in pieces.lengths(of: input) {
            offered += length
            let reading = ProxyProtocolHeader.read(input.span.extracting(first: offered))
            if reading != .needInput { return reading }
        }
        return .needInput
    }

    /// A header made of what was understood is the one that was read, but for what is skipped. That is the
    /// destination's address and port, and TLVs; of LOCAL all behind the prefix, and its family.
    private static func rewrite(_ header: ProxyProtocolHeader, _ bytes: [UInt8]) throws(Violation) {
        let rest = bytes.count - 16
        var written: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]
        switch header {
        case .local: written += [0x20, bytes[13]]
        case .proxied(let client, _): written += [0x21, client.bytes.count == 4 ? 0x11 : 0x21]
        }
        written += [UInt8(truncatingIfNeeded: rest >> 8), UInt8(truncatingIfNeeded: rest)]
        if case .proxied(let client, let port) = header {
            let ports = 16 + 2 * client.bytes.count
            try promise(bytes.count >= ports + 4, "addresses out of nothing")
            written += client.bytes
            written += bytes[written.count..<ports]
            written += [UInt8(port >> 8), UInt8(port & 255)]
        }
        written += bytes[written.count...]
        try promise(written == bytes, "\(header) is not what the proxy said")
    }
}
