/// Writes message content for the wire: guards line ends and, for DATA, stuffs dots (RFC 5321 §4.5.2), in pieces of any
/// size.
///
/// Content that this relay stored has CRLF line ends only. Should a bare CR or LF reach it all the same, it becomes
/// CRLF, because a stray one must never go on the wire.
public struct SMTPDataEncoder: Hashable, Sendable {
    private enum Position: Hashable {
        case lineStart, inLine, carriageReturn
    }

    private let stuffsDots: Bool
    private var position = Position.lineStart

    /// An encoder at the start of a message. Chunks (RFC 3030) end by their size, so that dots are nothing in them.
    public init(stuffsDots: Bool = true) { self.stuffsDots = stuffsDots }

    /// Appends `content` to `output` in its wire form. A CR at the end of a piece is held until the next.
    public mutating func encode(_ content: Span<UInt8>, into output: inout [UInt8]) {
        content.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                if byte == UInt8(ascii: "\n") || self.position == .carriageReturn {
                    self.endLine(&output)
                    if byte == UInt8(ascii: "\n") {
                        index += 1
                        continue
                    }
                }
                if byte == UInt8(ascii: "\r") {
                    self.position = .carriageReturn
                    index += 1
                    continue
                }
                if self.stuffsDots, self.position == .lineStart, byte == UInt8(ascii: ".") { output.append(byte) }
                // This byte is no line end, so the run has at least one byte, even where that is a NUL.
                let end = bytes.firstLineByte(from: index + 1)
                output.append(contentsOf: bytes[index..<end])
                self.position = .inLine
                index = end
            }
        }
    }

    /// Appends a CRLF if the last line has none.
    public mutating func endLastLine(into output: inout [UInt8]) {
        if self.position != .lineStart { self.endLine(&output) }
    }

    /// Appends the end of the message for DATA, after a CRLF if its last line has none.
    public mutating func finish(into output: inout [UInt8]) {
        self.endLastLine(into: &output)
        output += [0x2e, 0x0d, 0x0a]
    }

    private mutating func endLine(_ output: inout [UInt8]) {
        output += [0x0d, 0x0a]
        self.position = .lineStart
    }
}
