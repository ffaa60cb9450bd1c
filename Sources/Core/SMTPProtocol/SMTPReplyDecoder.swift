internal import MailModel

/// Reads a server's replies (RFC 5321 §4.2), fed in pieces of any size.
///
/// What it keeps of one is bounded, however much a server writes: code, status and the first of its text.
public struct SMTPReplyDecoder: Hashable, Sendable {
    /// The limits of replies.
    public struct Limits: Hashable, Sendable {
        /// Bytes in a line; §4.5.3.1.5 asks for 512, and some servers write more. Beyond them the reply is malformed, and the
        /// connection of no more use.
        public var lineBytes = 2048
        /// Lines in a reply. Beyond them likewise.
        public var lines = 128
        /// Bytes of a reply's text that are kept. What follows is checked, and dropped.
        public var text = 2048
        /// The same of the reply to EHLO, which is kept no longer than it takes to read it.
        public var helloText = 16 * 1024
        /// Bytes kept of the text of all replies of one transaction. From there on `leastText` is kept of each.
        public var transactionText = 256 * 1024
        /// Bytes of a reply's text that are kept in any case.
        public var leastText = 128

        /// The defaults.
        public init() {}
    }

    /// What the bytes amounted to.
    public enum Result: Hashable, Sendable {
        /// No whole reply yet; all bytes were taken.
        case needInput
        /// One whole reply.
        case reply(RemoteReply)
        /// Not a reply, or more than the limits allow; nothing after it can be trusted.
        case malformed
    }

    private let limits: Limits
    /// The line under way, as far as anything of it is kept; its first four bytes always are.
    private var line: [UInt8] = []
    private var lineLength = 0
    private var code: UInt16?
    private var status: EnhancedStatusCode?
    private var lineCount = 0
    private var lines: [String] = []
    /// Bytes of text in `lines`.
    private var textLength = 0

    /// A decoder.
    public init(limits: Limits = Limits()) { self.limits = limits }

    /// Reads until the first result, and says how many bytes that took.
    ///
    /// A line may end in a bare LF, as some servers' do: a reply goes nowhere else, so nothing can be smuggled in it.
    ///
    /// - Parameter kept: bytes of text that are kept of the reply; `Limits.text` where it is not said.
    public mutating func decode(_ input: Span<UInt8>, keeping kept: Int? = nil) -> (consumed: Int, result: Result) {
        let kept = kept ?? self.limits.text
        return input.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < bytes.count {
                // CR and NUL end a run too; they are bytes of the line like any other.
                let end = bytes.firstLineByte(from: index)
                guard end < bytes.count, bytes[end] == UInt8(ascii: "\n") else {
                    let next = min(end + 1, bytes.count)
                    let limit = self.limits.lineBytes - self.lineLength
                    if next - index > limit { return (index + limit + 1, .malformed) }
                    self.add(bytes[index..<next], keeping: kept)
                    index = next
                    continue
                }
                let limit = self.limits.lineBytes - self.lineLength
                if end - index > limit { return (index + limit + 1, .malformed) }
                self.add(bytes[index..<end], keeping: kept)
                index = end + 1
                if let result = self.endLine(keeping: kept) { return (index, result) }
            }
            return (bytes.count, .needInput)
        }
    }

    /// Takes a part of a line, and keeps no more of it than the text may hold.
    private mutating func add(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, keeping kept: Int) {
        self.lineLength += bytes.count
        // The code, a status code of up to 12 bytes with its space, and what is left of the text.
        let limit = 4 + 12 + max(0, kept - self.textLength) - self.line.count
        self.line.append(contentsOf: bytes.prefix(max(0, limit)))
    }

    private mutating func endLine(keeping kept: Int) -> Result? {
        var text = self.line[...]
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        self.lineCount += 1
        guard let code = Self.code(text), self.code == nil || self.code == code, self.lineCount <= self.limits.lines
        else { return .malformed }
        let isLast = text.dropFirst(3).first != UInt8(ascii: "-")
        self.code = code
        // Where nothing is kept any more, the first line has been.
        if self.textLength < kept || self.lines.isEmpty { self.take(text.dropFirst(4), code: code, keeping: kept) }
        self.line.removeAll(keepingCapacity: true)
        self.lineLength = 0
        guard isLast else { return nil }
        defer { self = SMTPReplyDecoder(limits: self.limits) }
        return .reply(RemoteReply(SMTPReply(code, self.status, lines: self.lines)))
    }

    /// Three digits, 200 to 599, and then a space, a hyphen or nothing.
    private static func code(_ line: ArraySlice<UInt8>) -> UInt16? {
        let digits = line.prefix(3)
        guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let code = digits.reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 0x30) }
        guard (200...599).contains(code) else { return nil }
        guard let separator = line.dropFirst(3).first else { return code }
        return separator == UInt8(ascii: " ") || separator == UInt8(ascii: "-") ? code : nil
    }

    /// Keeps one line's text, and its enhanced status code apart where it agrees with the reply's code (RFC 2034 §4).
    private mutating func take(_ bytes: ArraySlice<UInt8>, code: UInt16, keeping kept: Int) {
        var text = SafeText.text(keeping: bytes)
        let word = text.prefix { $0 != " " }
        if let status = EnhancedStatusCode(word), UInt16(status.class.rawValue) == code / 100 {
            self.status = self.status ?? status
            text = String(text.dropFirst(word.count + 1))
        }
        // Bytes that are no UTF-8 take up three each.
        while self.textLength + text.utf8.count > kept, !text.isEmpty { text.unicodeScalars.removeLast() }
        self.lines.append(text)
        // An empty line counts, too.
        self.textLength += text.utf8.count + 1
    }
}
