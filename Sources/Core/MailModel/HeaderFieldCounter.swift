/// Counts the fields of one name in a message's header section as its content passes by; see `HeaderFieldScanner`.
///
/// Content comes in pieces of any size, with CRLF.
public struct HeaderFieldCounter: Hashable, Sendable {
    private var scanner: HeaderFieldScanner
    /// The fields so far.
    public private(set) var count = 0
    /// The empty line behind the header section has not passed yet.
    public private(set) var isInHeader = true

    /// Nothing has passed yet.
    public init(_ name: String) { self.scanner = HeaderFieldScanner(name) }

    /// Takes the next piece of content, and says how many of its bytes belong to the header section.
    @discardableResult
    public mutating func consume(_ content: some Sequence<UInt8>) -> Int {
        guard self.isInHeader else { return 0 }
        var consumed = 0
        for byte in content {
            consumed += 1
            switch self.scanner.take(byte) {
            case .field: self.count += 1
            case .headerEnd:
                self.isInHeader = false
                return consumed
            case .body, .other: ()
            }
        }
        return consumed
    }
}
