internal import MailModel

/// What a server's EHLO reply offers (RFC 5321 §4.1.1.1).
///
/// ENHANCEDSTATUSCODES is not among it: a status code is known by its form and its place, whether or not it was announced.
public struct SMTPServerCapabilities: Hashable, Sendable {
    /// RFC 2920.
    public var pipelining = false
    /// RFC 3207.
    public var startTLS = false
    /// RFC 6152.
    public var eightBitMIME = false
    /// RFC 6531.
    public var smtpUTF8 = false
    /// RFC 3030.
    public var chunking = false
    /// RFC 3461.
    public var dsn = false
    /// RFC 1870.
    public var size = false
    /// The most bytes in a message, where the server says so.
    public var maximumSize: Int?
    /// The most recipients in a transaction (RCPTMAX of LIMITS, RFC 9422 §4.2), where the server says so.
    public var maximumRecipients: Int?
    /// The most transactions on a connection (MAILMAX, §4.1), where the server says so.
    public var maximumTransactions: Int?

    /// Nothing, as after HELO.
    public init() {}

    /// Whatever is malformed in a line counts as not offered; the first of two that contradict each other stands.
    init(ehlo reply: RemoteReply) {
        for line in reply.lines.dropFirst() {
            let words = line.split(separator: " ")
            switch words.first?.uppercased() {
            case "PIPELINING": self.pipelining = true
            case "STARTTLS": self.startTLS = true
            case "8BITMIME": self.eightBitMIME = true
            case "SMTPUTF8": self.smtpUTF8 = true
            case "CHUNKING": self.chunking = true
            case "DSN": self.dsn = true
            case "SIZE":
                self.size = true
                // Zero means that there is no fixed limit (RFC 1870 §4).
                if words.count > 1, let limit = Int(words[1]), limit > 0 { self.maximumSize = limit }
            case "LIMITS": for limit in words.dropFirst() { self.take(limit: limit) }
            default: break
            }
        }
    }

    /// RCPTDOMAINMAX is kept by any transaction of ours, whose recipients are of one domain; other names are ignored (§3).
    private mutating func take(limit text: Substring) {
        let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let value = Self.limitValue(halves[1]) else { return }
        switch halves[0].uppercased() {
        case "RCPTMAX": self.maximumRecipients = self.maximumRecipients ?? value
        case "MAILMAX": self.maximumTransactions = self.maximumTransactions ?? value
        default: break
        }
    }

    /// One to six digits, the first of them not zero (§4.1).
    private static func limitValue(_ text: Substring) -> Int? {
        guard (1...6).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.first != "0"
        else { return nil }
        return Int(text)
    }
}
