/// Finds the fields of one name in a message's header section as its content passes by, byte by byte (RFC 5322 §2.2).
///
/// It keeps a few bytes of state, however long the header section or a line in it is. Blanks before the colon are obsolete
/// (RFC 5322 §4.5) and make no difference.
struct HeaderFieldScanner: Hashable, Sendable {
    /// What a byte turned out to be.
    enum Event: Hashable {
        /// The colon behind the name: a field begins.
        case field
        /// A byte of such a field's body, also on the lines that go on with it; line ends are left out.
        case body
        /// The end of the empty line behind the header section: what follows is the message's body, whatever it looks like.
        case headerEnd
        case other
    }

    private enum Position: Hashable {
        /// So many bytes of the name have been found since the start of the line.
        case name(Int)
        /// The name, and perhaps blanks.
        case afterName
        case body
        case elsewhere
    }

    /// In lower case.
    private let name: [UInt8]
    private var position = Position.name(0)
    private var isAtLineStart = true

    /// Nothing has passed yet.
    init(_ name: String) { self.name = Array(name.lowercased().utf8) }

    /// Takes the next byte.
    mutating func take(_ byte: UInt8) -> Event {
        switch byte {
        case UInt8(ascii: "\r"): return .other
        case UInt8(ascii: "\n"):
            defer { self.isAtLineStart = true }
            return self.isAtLineStart ? .headerEnd : .other
        default:
            if exchange(&self.isAtLineStart, with: false) { self.beginLine(with: byte) }
            return self.takeInLine(byte)
        }
    }

    private mutating func beginLine(with byte: UInt8) {
        // A line that begins with a blank goes on with the body of the field before.
        if !byte.isBlank { self.position = .name(0) } else if self.position != .body { self.position = .elsewhere }
    }

    private mutating func takeInLine(_ byte: UInt8) -> Event {
        switch self.position {
        case .name(let length):
            let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
            if lower != self.name[length] {
                self.position = .elsewhere
            } else {
                self.position = length + 1 == self.name.count ? .afterName : .name(length + 1)
            }
            return .other
        case .afterName where byte.isBlank: return .other
        case .afterName:
            let isField = byte == UInt8(ascii: ":")
            self.position = isField ? .body : .elsewhere
            return isField ? .field : .other
        case .body: return .body
        case .elsewhere: return .other
        }
    }
}

extension UInt8 {
    /// A space or a tab.
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}
