/// Counts the Received fields of a message as its content passes by, to find mail that goes in circles (RFC 5321 §6.3).
///
/// It keeps a few bytes of state, however long the header section is. Content comes in pieces of any size, with CRLF.
public struct ReceivedFieldCounter: Hashable, Sendable {
    /// The most fields of a message that is not taken for one in a loop; the limit that mail operators are used to.
    public static let limit = 50

    private static let name = Array("received:".utf8)

    /// The fields so far.
    public private(set) var count = 0
    private var isInHeader = true
    private var column = 0
    private var isMatching = true

    /// Nothing has passed yet.
    public init() {}

    /// Whether the message has been through too many hosts.
    public var isLoop: Bool { self.count > Self.limit }

    /// Takes the next piece of content.
    public mutating func consume(_ content: some Sequence<UInt8>) {
        guard self.isInHeader else { return }
        for byte in content {
            switch byte {
            case UInt8(ascii: "\r"): continue
            case UInt8(ascii: "\n") where self.column == 0:
                // The empty line: what follows is the body, whatever it looks like.
                self.isInHeader = false
                return
            case UInt8(ascii: "\n"):
                (self.column, self.isMatching) = (0, true)
            default: self.take(byte)
            }
        }
    }

    private mutating func take(_ byte: UInt8) {
        if self.isMatching, self.column < Self.name.count {
            let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
            self.isMatching = lower == Self.name[self.column]
            if self.isMatching, self.column == Self.name.count - 1 { self.count += 1 }
        }
        self.column += 1
    }
}
