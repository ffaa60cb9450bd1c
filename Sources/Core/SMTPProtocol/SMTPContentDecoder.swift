/// Reads message content as it comes, by DATA or by BDAT, with one rule for both.
///
/// A bare CR, a bare LF or a NUL is a fault: the content is read to its true end and then refused. So no host behind this one
/// can find an end, and a second message, where this one did not. That holds, too, where a chunk ends between the two bytes of
/// a CRLF, because the next host may only take DATA.
///
/// ```
///  lineStart ── "." of DATA ──▶ dot ── CR ──▶ dotCarriageReturn ── LF ──▶ end
///   ▲   └── other ─▶ inLine ◀── other ─┘          │ CR: fault
///   └── LF ── carriageReturn ◀── CR ──────────────┘
/// ```
public struct SMTPContentDecoder: Hashable, Sendable {
    /// How content is told from what follows it.
    public enum Framing: Hashable, Sendable {
        /// CRLF "." CRLF ends it, and nothing else does; the dots that the client stuffed are removed (RFC 5321 §4.5.2).
        case data
        /// It comes in chunks of a size told before (RFC 3030). Nothing in it ends it, and a dot means nothing.
        case chunks
    }

    private enum Position: Hashable {
        case lineStart, inLine, carriageReturn, dot, dotCarriageReturn
    }

    /// How the content comes. The two cannot be mixed in one message (RFC 3030 §2).
    public let framing: Framing
    private var gauge: SMTPContentGauge
    private var position = Position.lineStart

    /// The bytes of content so far, stuffed dots removed, counted on after a fault too.
    public var size: Int { self.gauge.size }
    /// The bytes read so far, of whatever kind: bytes that are refused are no content, and yet must come to an end.
    public private(set) var consumed = 0
    /// The first fault, after which no more content is put out.
    public var fault: SMTPContentFault? { self.gauge.fault }

    /// Lines of at most `lineLimit` bytes without CRLF, and at most `sizeLimit` bytes in all.
    public init(_ framing: Framing, lineLimit: Int, sizeLimit: Int) {
        self.framing = framing
        self.gauge = SMTPContentGauge(lineLimit: lineLimit, sizeLimit: sizeLimit)
    }

    /// Reads until the end of the content or of the input, whichever comes first, and appends content to `output`. Chunks are
    /// read whole: their end is for the owner to see.
    public mutating func decode(_ input: Span<UInt8>, into output: inout [UInt8]) -> (consumed: Int, isEnd: Bool) {
        input.withUnsafeBufferPointer { bytes in
            var index = 0
            defer { self.consumed += index }
            while index < bytes.count {
                if self.position == .inLine {
                    // Most bytes pass here, a whole run at a time.
                    let end = bytes.firstLineByte(from: index)
                    self.gauge.text(bytes[index..<end], to: &output)
                    index = end
                    guard index < bytes.count else { break }
                }
                index += 1
                if self.step(bytes[index - 1], &output) { return (index, true) }
            }
            return (bytes.count, false)
        }
    }

    /// The last chunk has been read. Content that does not end in CRLF gets one; nothing else is ever changed.
    public mutating func end(into output: inout [UInt8]) {
        switch self.position {
        case .lineStart: return
        case .carriageReturn, .dotCarriageReturn: self.gauge.fail(.bareLineEnd)
        case .inLine, .dot: self.gauge.endLine(to: &output)
        }
        self.position = .lineStart
    }

    /// Takes one byte at a place where it matters; true at the end of the content.
    private mutating func step(_ byte: UInt8, _ output: inout [UInt8]) -> Bool {
        switch (self.position, byte) {
        case (.dotCarriageReturn, UInt8(ascii: "\n")):
            return true
        case (.carriageReturn, UInt8(ascii: "\n")):
            self.gauge.endLine(to: &output)
            self.position = .lineStart
        case (.carriageReturn, _), (.dotCarriageReturn, _):
            self.gauge.fail(.bareLineEnd)
            self.position = .inLine
            // Only a byte that begins something of its own counts again; a dot here is not at the start of a line.
            return self.step(byte, &output)
        case (.lineStart, UInt8(ascii: ".")) where self.framing == .data:
            self.position = .dot
        case (.dot, UInt8(ascii: "\r")):
            self.position = .dotCarriageReturn
        case (_, UInt8(ascii: "\r")):
            self.position = .carriageReturn
        case (_, UInt8(ascii: "\n")):
            self.gauge.fail(.bareLineEnd)
            self.position = .inLine
        case (_, 0):
            self.gauge.fail(.nul)
            self.position = .inLine
        case (.lineStart, _), (.inLine, _), (.dot, _):
            self.position = .inLine
            self.gauge.text(CollectionOfOne(byte), to: &output)
        }
        return false
    }
}
