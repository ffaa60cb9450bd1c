/// Counts the fields of one name in a message's header section as its content passes by (RFC 5322 §2.2).
///
/// It keeps a few bytes of state, however long the header section or a line in it is. Content comes in pieces of any size, with
/// CRLF. Blanks before the colon are obsolete (RFC 5322 §4.5) and make no difference.
public struct HeaderFieldCounter: Hashable, Sendable {
    private enum Position: Hashable {
        /// So many bytes of the name have been found since the start of the line.
        case name(Int)
        /// The name, and perhaps blanks.
        case afterName
        case elsewhere
    }

    /// In lower case.
    private let name: [UInt8]
    /// The fields so far.
    public private(set) var count = 0
    /// The empty line behind the header section has not passed yet.
    public private(set) var isInHeader = true
    private var isAtLineStart = true
    private var position = Position.name(0)

    /// Nothing has passed yet.
    public init(_ name: String) { self.name = Array(name.lowercased().utf8) }

    /// Takes the next piece of content, and says how many of its bytes belong to the header section.
    @discardableResult
    public mutating func consume(_ content: some Sequence<UInt8>) -> Int {
        guard self.isInHeader else { return 0 }
        var consumed = 0
        for byte in content {
            consumed += 1
            switch byte {
            case UInt8(ascii: "\r"): continue
            case UInt8(ascii: "\n") where self.isAtLineStart:
                // The empty line: what follows is the body, whatever it looks like.
                self.isInHeader = false
                return consumed
            case UInt8(ascii: "\n"):
                (self.isAtLineStart, self.position) = (true, .name(0))
            default:
                self.isAtLineStart = false
                self.take(byte)
            }
        }
        return consumed
    }

    private mutating func take(_ byte: UInt8) {
        switch self.position {
        case .name(let length):
            let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
            guard lower == self.name[length] else { return self.position = .elsewhere }
            self.position = length + 1 == self.name.count ? .afterName : .name(length + 1)
        case .afterName where byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t"):
            return
        case .afterName:
            if byte == UInt8(ascii: ":") { self.count += 1 }
            self.position = .elsewhere
        case .elsewhere:
            return
        }
    }
}
