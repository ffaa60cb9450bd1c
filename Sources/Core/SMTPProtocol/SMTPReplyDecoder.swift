internal import MailModel

/// Reads a server's replies (RFC 5321 §4.2), fed in pieces of any size.
public struct SMTPReplyDecoder: Hashable, Sendable {
    /// The limits of one reply. At each the reply is malformed, and the connection of no more use.
    public struct Limits: Hashable, Sendable {
        /// Bytes in a line; §4.5.3.1.5 asks for 512, and some servers write more.
        public var lineBytes = 2048
        /// Lines in a reply.
        public var lines = 128

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
    private var line: [UInt8] = []
    private var code: UInt16?
    private var status: EnhancedStatusCode?
    private var lines: [String] = []

    /// A decoder.
    public init(limits: Limits = Limits()) { self.limits = limits }

    /// Reads until the first result, and says how many bytes that took.
    ///
    /// A line may end in a bare LF, as some servers' do: a reply goes nowhere else, so nothing can be smuggled in it.
    public mutating func decode(_ input: Span<UInt8>) -> (consumed: Int, result: Result) {
        for index in input.indices {
            guard input[index] == UInt8(ascii: "\n") else {
                self.line.append(input[index])
                if self.line.count > self.limits.lineBytes { return (index + 1, .malformed) }
                continue
            }
            if let result = self.endLine() { return (index + 1, result) }
        }
        return (input.count, .needInput)
    }

    private mutating func endLine() -> Result? {
        var text = self.line[...]
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        guard let code = Self.code(text), self.code == nil || self.code == code, self.lines.count < self.limits.lines
        else { return .malformed }
        let isLast = text.dropFirst(3).first != UInt8(ascii: "-")
        self.take(text.dropFirst(4), code: code)
        self.line = []
        guard isLast else { return nil }
        defer { self = SMTPReplyDecoder(limits: self.limits) }
        return .reply(RemoteReply(SMTPReply(code, self.status, lines: self.lines)))
    }

    /// Three digits, 200 to 599, and then a space, a hyphen or nothing.
    private static func code(_ line: ArraySlice<UInt8>) -> UInt16? {
        let digits = line.prefix(3)
        guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let code = UInt16(String(decoding: digits, as: UTF8.self)), (200...599).contains(code)
        else { return nil }
        guard let separator = line.dropFirst(3).first else { return code }
        return separator == UInt8(ascii: " ") || separator == UInt8(ascii: "-") ? code : nil
    }

    /// Keeps one line's text, and its enhanced status code apart where it agrees with the reply's code (RFC 2034 §4).
    private mutating func take(_ bytes: ArraySlice<UInt8>, code: UInt16) {
        self.code = code
        let text = String(decoding: bytes, as: UTF8.self)
        let word = text.prefix { $0 != " " }
        guard let status = EnhancedStatusCode(word), UInt16(status.class.rawValue) == code / 100 else {
            self.lines.append(text)
            return
        }
        self.status = self.status ?? status
        self.lines.append(String(text.dropFirst(word.count + 1)))
    }
}
