/// Reads a message's Message-ID field as its content passes by (RFC 5322 §3.6.4).
///
/// Of several such fields the first counts. Content comes in pieces of any size, with CRLF.
public struct MessageIDFieldReader: Hashable, Sendable {
    private enum Position: Hashable {
        /// So many bytes of the name have been found since the start of the line.
        case name(Int)
        /// The name, and perhaps blanks.
        case afterName
        case value
        /// Behind a line end in the value: a blank goes on with it.
        case folded
        case elsewhere
        /// The field is over, or the header section.
        case done
    }

    private static let name = Array("message-id".utf8)
    /// The most bytes that are kept of a field's body; the rest of a longer one is left out.
    public static let maximumLength = 250

    /// The field was there, if only an empty one.
    public private(set) var isFound = false
    private var position = Position.name(0)
    private var isAtLineStart = true
    private var bytes: [UInt8] = []

    /// Nothing has passed yet.
    public init() {}

    /// The field's body without the blanks around it, bytes other than printable ASCII as `\xNN`; `nil` where there was no
    /// such field, or an empty one.
    public var value: String? {
        var bytes = self.bytes[...]
        while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
        return bytes.isEmpty ? nil : SafeText.escape(bytes: bytes)
    }

    /// Takes the next piece of the header section; what stands behind its empty line is passed over.
    public mutating func consume(_ content: some Sequence<UInt8>) {
        guard self.position != .done else { return }
        for byte in content {
            self.take(byte)
            if self.position == .done { return }
        }
    }

    private mutating func take(_ byte: UInt8) {
        let isBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
        switch (self.position, byte) {
        case (.done, _), (_, UInt8(ascii: "\r")): return
        case (.folded, _) where !isBlank: self.position = .done
        case (.value, UInt8(ascii: "\n")): self.position = .folded
        case (.value, _), (.folded, _):
            self.position = .value
            self.keep(isBlank ? UInt8(ascii: " ") : byte)
        case (_, UInt8(ascii: "\n")):
            self.position = self.isAtLineStart ? .done : .name(0)
        case (.name(let length), _):
            let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
            guard lower == Self.name[length] else { return self.passOver() }
            self.position = length + 1 == Self.name.count ? .afterName : .name(length + 1)
        case (.afterName, UInt8(ascii: ":")): (self.position, self.isFound) = (.value, true)
        // Blanks before the colon are obsolete (RFC 5322 §4.5) and make no difference.
        case (.afterName, _) where isBlank: break
        case (.afterName, _), (.elsewhere, _): return self.passOver()
        }
        self.isAtLineStart = byte == UInt8(ascii: "\n")
    }

    private mutating func passOver() {
        self.position = .elsewhere
        self.isAtLineStart = false
    }

    private mutating func keep(_ byte: UInt8) {
        let isLeading = self.bytes.isEmpty && byte == UInt8(ascii: " ")
        if !isLeading, self.bytes.count < Self.maximumLength { self.bytes.append(byte) }
    }
}
