public import MailModel
public import SMTPProtocol
public import TLSEngine

/// A message that a `ScriptedPeer` took: the final dot was read.
public struct ScriptedMail: Hashable, Sendable {
    /// The connection it came on, from 1.
    public let connection: Int
    /// The client's word in EHLO or HELO.
    public let helloName: String
    /// What stood between the angle brackets of MAIL.
    public let reversePath: String
    /// The words behind it, such as `BODY=8BITMIME` and `RET=HDRS`.
    public let mailParameters: [String]
    /// What stood between the angle brackets of each RCPT that was answered 2xx.
    public let recipients: [String]
    /// The words behind each of these, such as `NOTIFY=SUCCESS,FAILURE`, in the same order.
    public let recipientParameters: [[String]]
    /// Header and body with CRLF, dots unstuffed; empty when the peer keeps ids only, and cut where a fault was found.
    public let content: [UInt8]
    /// How many bytes header and body have, kept or not.
    public let size: Int
    /// The sizes of the chunks of BDAT; empty when it came by DATA.
    public let chunks: [Int]
    /// What was wrong with the line ends of DATA, because of which it is refused unless a rule says otherwise.
    public let fault: SMTPContentFault?
    /// The field Message-ID, with its angle brackets.
    public let messageID: String?
    /// The id under which the last relay had queued it, from the topmost field Received, if that was one of ours.
    public let queueID: MessageID?
    /// What TLS agreed upon (its `serverName` is the client's SNI); `nil` when it came in clear.
    public let tls: TLSConnectionInfo?
    /// The code that was said behind the dot; `nil` when nothing was.
    public let replyCode: Int?

    /// Header and body as text.
    public var text: String { String(decoding: self.content, as: UTF8.self) }

    /// The value of Message-ID in a header.
    static func messageID(in content: [UInt8]) -> String? {
        Self.field("message-id", in: content)?.split(whereSeparator: \.isWhitespace).first.map(String.init)
    }

    /// The `id` clause of the topmost field Received, where it is an id as our relay makes them.
    static func queueID(in content: [UInt8]) -> MessageID? {
        let words = Self.field("received", in: content)?.split { $0.isWhitespace || $0 == ";" } ?? []
        guard let name = words.firstIndex(of: "id"), name + 1 < words.endIndex else { return nil }
        return MessageID(words[name + 1])
    }

    /// The value of the first field of this name, in lower case, with the lines that continue it.
    private static func field(_ name: String, in content: [UInt8]) -> String? {
        let wanted = Array("\(name):".utf8)
        var value: [UInt8]?
        var start = 0
        while let end = content[start...].firstIndex(of: UInt8(ascii: "\n")), end > start + 1 {
            let line = content[start..<end]
            if value != nil {
                guard line.first == UInt8(ascii: " ") || line.first == UInt8(ascii: "\t") else { break }
                value?.append(contentsOf: line)
            } else if line.count > wanted.count, zip(line, wanted).allSatisfy({ $0.0 | 0x20 == $0.1 | 0x20 }) {
                value = Array(line.dropFirst(wanted.count))
            }
            start = end + 1
        }
        return value.map { String(decoding: $0, as: UTF8.self) }
    }
}
