/// Puts content that comes in pieces of any size together to lines. One line is kept at most.
struct ContentLines: Hashable, Sendable {
    static let crlf: [UInt8] = [0x0d, 0x0a]

    private let limit: Int
    private var line: [UInt8] = []

    init(limit: Int) { self.limit = limit }

    /// Hands over each line that is complete, with its CRLF. Stored content has no other line ends, so a stray one is malformed.
    mutating func take(
        _ content: [UInt8], _ body: ([UInt8]) throws(SevenBitRefusal) -> Void
    ) throws(SevenBitRefusal) {
        var rest = content[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            try self.append(rest[...end])
            try self.handOver(body)
            rest = rest[(end + 1)...]
        }
        try self.append(rest)
    }

    /// Hands over a last line that had no end, with one.
    mutating func finish(_ body: ([UInt8]) throws(SevenBitRefusal) -> Void) throws(SevenBitRefusal) {
        guard !self.line.isEmpty else { return }
        try self.append(Self.crlf[...])
        try self.handOver(body)
    }

    private mutating func append(_ piece: ArraySlice<UInt8>) throws(SevenBitRefusal) {
        guard self.line.count + piece.count <= self.limit else { throw .limit(.line) }
        self.line += piece
    }

    private mutating func handOver(_ body: ([UInt8]) throws(SevenBitRefusal) -> Void) throws(SevenBitRefusal) {
        guard self.line.firstIndex(of: UInt8(ascii: "\r")) == self.line.count - Self.crlf.count else {
            throw .malformed
        }
        try body(self.line)
        self.line.removeAll(keepingCapacity: true)
    }
}
