/// Reads a message's Message-ID field as its content passes by (RFC 5322 §3.6.4); see `HeaderFieldScanner`.
///
/// Of several such fields the first counts. Content comes in pieces of any size, with CRLF.
public struct MessageIDFieldReader: Hashable, Sendable {
    /// The most bytes that are kept of a field's body; the rest of a longer one is left out.
    public static let maximumLength = 250

    /// The field was there, if only an empty one.
    public private(set) var isFound = false
    private var scanner = HeaderFieldScanner("message-id")
    /// Another such field has begun, or the header section is over.
    private var isDone = false
    private var bytes: [UInt8] = []

    /// Nothing has passed yet.
    public init() {}

    /// The field's body without the blanks around it, bytes other than printable ASCII as `\xNN`. It is `nil` where
    /// there was no such field, or an empty one.
    public var value: String? {
        var bytes = self.bytes[...]
        while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
        return bytes.isEmpty ? nil : SafeText.escape(bytes: bytes)
    }

    /// Takes the next piece of the header section; what stands behind its empty line is passed over.
    public mutating func consume(_ content: some Sequence<UInt8>) {
        guard !self.isDone else { return }
        for byte in content {
            switch self.scanner.take(byte) {
            case .field where !self.isFound: self.isFound = true
            case .field, .headerEnd:
                self.isDone = true
                return
            case .body: self.keep(byte.isBlank ? UInt8(ascii: " ") : byte)
            case .other: ()
            }
        }
    }

    private mutating func keep(_ byte: UInt8) {
        let isLeading = self.bytes.isEmpty && byte == UInt8(ascii: " ")
        if !isLeading, self.bytes.count < Self.maximumLength { self.bytes.append(byte) }
    }
}
