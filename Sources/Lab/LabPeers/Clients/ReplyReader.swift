import NIOCore

/// Puts the replies of a server together, as every client of the lab reads them. It is lenient, since the test must
/// judge what a server may say.
struct ReplyReader {
    /// The server sends a line that is longer than any of ours.
    struct EndlessLine: Error, CustomStringConvertible { let description = "the server sends a line without end" }

    /// The longest line that is waited for, in bytes.
    private static let maximumLineLength = 4096

    private var unread = ByteBuffer()
    private var lines: [String] = []

    /// Whether nothing is left of what has come.
    var isEmpty: Bool { self.unread.readableBytes == 0 && self.lines.isEmpty }

    /// Takes what has come.
    mutating func append(_ bytes: ByteBuffer) {
        guard self.unread.readableBytes > 0 else {
            self.unread = bytes
            return
        }
        var bytes = bytes
        self.unread.discardReadBytes()
        self.unread.writeBuffer(&bytes)
    }

    /// The next reply; `nil` until it is there whole, which is when a line has no hyphen behind its code.
    mutating func next() throws(EndlessLine) -> SMTPDialog.Reply? {
        while let line = self.nextLine() {
            self.lines.append(line)
            if line.dropFirst(3).first == "-" { continue }
            defer { self.lines.removeAll(keepingCapacity: true) }
            return SMTPDialog.Reply(lines: self.lines)
        }
        guard self.unread.readableBytes <= Self.maximumLineLength else { throw EndlessLine() }
        // Thousands of clients that wait keep no buffer.
        if self.unread.readableBytes == 0 { self.unread = ByteBuffer() }
        return nil
    }

    /// A line without what ends it.
    private mutating func nextLine() -> String? {
        let view = self.unread.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let isBehindCR = end > view.startIndex && view[end - 1] == UInt8(ascii: "\r")
        let line = self.unread.readString(length: end - view.startIndex - (isBehindCR ? 1 : 0))
        self.unread.moveReaderIndex(forwardBy: isBehindCR ? 2 : 1)
        return line
    }
}
