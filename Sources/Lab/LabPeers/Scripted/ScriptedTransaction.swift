import NIOCore
import SMTPProtocol
import TLSEngine

/// The argument of MAIL or RCPT: what stands between the angle brackets, and the words behind them.
struct ScriptedPath {
    let address: String
    /// Such as `NOTIFY=NEVER`.
    let parameters: [String]

    init(_ line: String) {
        guard let start = line.firstIndex(of: "<"), let end = line.lastIndex(of: ">"), start < end else {
            self.address = ""
            self.parameters = []
            return
        }
        self.address = String(line[line.index(after: start)..<end])
        self.parameters = line[line.index(after: end)...].split(separator: " ").map(String.init)
    }

    var domain: String { self.address.split(separator: "@").last.map { $0.lowercased() } ?? "" }
    var isASCII: Bool { self.address.utf8.allSatisfy { $0 < 0x80 } }
}

/// What one transaction has gathered.
struct ScriptedTransaction {
    /// Enough for a header with its Message-ID, where the content itself is not kept.
    private static let keptForMessageID = 1 << 16

    let keepsContent: Bool
    private var reversePath: ScriptedPath?
    var recipients: [ScriptedPath] = []
    /// The recipients asked for, refused ones included.
    var recipientCount = 0
    /// The sizes of the chunks, if it comes in chunks.
    var chunks: [Int] = []
    var hasRefusedChunk = false
    var fault: SMTPContentFault?
    private(set) var size = 0
    private var content: [UInt8] = []

    init(keepsContent: Bool) { self.keepsContent = keepsContent }

    var hasBegun: Bool { self.reversePath != nil }
    var isInternational: Bool { self.reversePath?.parameters.contains { $0.uppercased() == "SMTPUTF8" } ?? false }
    var takesChunks: Bool { !self.recipients.isEmpty && !self.hasRefusedChunk }

    mutating func begin(_ path: ScriptedPath) { self.reversePath = path }

    /// Takes content of DATA.
    mutating func decode(_ bytes: Span<UInt8>, with decoder: inout SMTPContentDecoder) -> (consumed: Int, isEnd: Bool) {
        defer { self.size = decoder.size }
        if self.keepsContent || self.content.count < Self.keptForMessageID {
            return decoder.decode(bytes, into: &self.content)
        }
        var dropped: [UInt8] = []
        return decoder.decode(bytes, into: &dropped)
    }

    /// Takes content of BDAT, as it is.
    mutating func append(_ bytes: ByteBufferView) {
        self.size += bytes.count
        if self.keepsContent || self.content.count < Self.keptForMessageID { self.content.append(contentsOf: bytes) }
    }

    /// The message, at its end.
    func mail(connection: Int, helloName: String, tls: TLSConnectionInfo?, replyCode: Int?) -> ScriptedMail {
        ScriptedMail(
            connection: connection, helloName: helloName, reversePath: self.reversePath?.address ?? "",
            mailParameters: self.reversePath?.parameters ?? [], recipients: self.recipients.map(\.address),
            recipientParameters: self.recipients.map(\.parameters), content: self.keepsContent ? self.content : [],
            size: self.size, chunks: self.chunks, fault: self.fault,
            messageID: ScriptedMail.messageID(in: self.content), queueID: ScriptedMail.queueID(in: self.content),
            tls: tls, replyCode: replyCode)
    }
}
