/// Reads message content that comes in chunks of a size told before (BDAT, RFC 3030), over all chunks of one message.
///
/// Nothing in it ends it, and a dot means nothing. Otherwise it keeps the same rule as content that comes by DATA. A
/// bare CR, a bare LF or a NUL is a fault, also where a chunk ends between the two bytes of a CRLF. The next host may
/// only take DATA. Content that does not end in CRLF gets one; nothing else is ever changed.
///
/// ```
///  lineStart ── other ──▶ inLine ── CR ──▶ carriageReturn ── LF ──▶ lineStart
/// ```
public struct SMTPChunkDecoder: Hashable, Sendable {
    private enum Position: Hashable {
        case lineStart, inLine, carriageReturn
    }

    private var gauge: SMTPContentGauge
    private var position = Position.lineStart

    /// The bytes of content so far, counted on after a fault too.
    public var size: Int { self.gauge.size }
    /// The bytes read so far, of whatever kind: bytes that are refused are no content, and yet must come to an end.
    public private(set) var consumed = 0
    /// The first fault, after which no more content is put out.
    public var fault: SMTPContentFault? { self.gauge.fault }

    /// Lines of at most `lineLimit` bytes without CRLF, and at most `sizeLimit` bytes in all.
    public init(lineLimit: Int, sizeLimit: Int) {
        self.gauge = SMTPContentGauge(lineLimit: lineLimit, sizeLimit: sizeLimit)
    }

    /// Reads a piece of a chunk, all of it, and appends content to `output`.
    public mutating func decode(_ input: Span<UInt8>, into output: inout [UInt8]) {
        self.consumed += input.count
        input.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < bytes.count {
                if self.position == .inLine {
                    // Most bytes pass here, a whole run at a time.
                    let end = bytes.firstLineByte(from: index)
                    self.gauge.text(bytes[index..<end], to: &output)
                    index = end
                    guard index < bytes.count else { break }
                }
                self.step(bytes[index], &output)
                index += 1
            }
        }
    }

    /// The last chunk has been read.
    public mutating func end(into output: inout [UInt8]) {
        switch self.position {
        case .lineStart: return
        case .carriageReturn: self.gauge.fail(.bareLineEnd)
        case .inLine: self.gauge.endLine(to: &output)
        }
        self.position = .lineStart
    }

    /// Takes one byte at a place where it matters.
    private mutating func step(_ byte: UInt8, _ output: inout [UInt8]) {
        switch (self.position, byte) {
        case (.carriageReturn, UInt8(ascii: "\n")):
            self.gauge.endLine(to: &output)
            self.position = .lineStart
        case (.carriageReturn, _):
            self.gauge.fail(.bareLineEnd)
            self.position = .inLine
            self.step(byte, &output)
        case (_, UInt8(ascii: "\r")):
            self.position = .carriageReturn
        case (_, UInt8(ascii: "\n")):
            self.gauge.fail(.bareLineEnd)
            self.position = .inLine
        case (_, 0):
            self.gauge.fail(.nul)
            self.position = .inLine
        case (.lineStart, _), (.inLine, _):
            self.position = .inLine
            self.gauge.text(CollectionOfOne(byte), to: &output)
        }
    }
}
