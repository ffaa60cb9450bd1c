/// Reads message content up to CRLF "." CRLF and removes the dots that the client stuffed (RFC 5321 §4.5.2).
///
/// Only that exact sequence ends the content. A bare CR, a bare LF or a NUL is a fault: the content is read to its true
/// end and then refused. So no host behind this one can find an end, and a second message, where this one did not.
///
/// ```
///  lineStart ── "." ──▶ dot ── CR ──▶ dotCarriageReturn ── LF ──▶ end
///   ▲   └── other ─▶ inLine ◀─ other ─┘      │ CR: fault
///   └── LF ── carriageReturn ◀── CR ─────────┘
/// ```
public struct SMTPDataDecoder: Hashable, Sendable {
    private enum Position: Hashable {
        case lineStart, inLine, carriageReturn, dot, dotCarriageReturn
    }

    private var gauge: SMTPContentGauge
    private var position = Position.lineStart

    /// The bytes of content so far, dots removed, counted on after a fault too.
    public var size: Int { self.gauge.size }
    /// The bytes read so far, of whatever kind: bytes that are refused are no content, and yet must come to an end.
    public private(set) var consumed = 0
    /// The first fault, after which no more content is put out.
    public var fault: SMTPContentFault? { self.gauge.fault }

    /// Lines of at most `lineLimit` bytes without CRLF, and at most `sizeLimit` bytes in all.
    public init(lineLimit: Int, sizeLimit: Int) {
        self.gauge = SMTPContentGauge(lineLimit: lineLimit, sizeLimit: sizeLimit)
    }

    /// Reads until the end of the content or of the input, whichever comes first, and appends content to `output`.
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
        case (.lineStart, UInt8(ascii: ".")):
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
