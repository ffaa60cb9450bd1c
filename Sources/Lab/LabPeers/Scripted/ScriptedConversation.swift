import NIOCore
import SMTPProtocol
import TLSEngine

/// The server's side of one SMTP conversation as rules direct it: bytes in, actions out.
///
/// It reads as the relay itself does, with the same decoders: only CRLF ends a line, only CRLF "." CRLF ends content, and
/// a client that sends anything else hears of it.
struct ScriptedConversation {
    enum Action: Equatable {
        case write(String)
        case wait(Duration)
        case stall(Duration)
        case startTLS
        case store(ScriptedMail)
        case command(String)
        case close
    }

    /// A longer command line ends the connection.
    static let maximumLineLength = 1 << 16
    /// More content is refused at the end of DATA, and ends the connection where it came by BDAT.
    static let maximumContentLength = 64 << 20

    enum Mode {
        case commands
        case content(SMTPContentDecoder)
        /// The content of a BDAT (RFC 3030 §2), of which so many bytes are still to come.
        case chunk(size: Int, remaining: Int, isLast: Bool)
    }

    let hostName: String
    let rules: [ScriptedRule]
    let connection: Int
    let hasTLS: Bool
    let keepsContent: Bool
    var mode = Mode.commands
    var commands = SMTPCommandDecoder(lineLimit: Self.maximumLineLength, discardLimit: 0)
    var helloName = ""
    /// What EHLO was answered with.
    var offered = ScriptedExtensions([])
    var transactionCount = 0
    var transaction: ScriptedTransaction
    var tls: TLSConnectionInfo?

    init(hostName: String, rules: [ScriptedRule], connection: Int, hasTLS: Bool, keepsContent: Bool) {
        self.hostName = hostName
        self.rules = rules
        self.connection = connection
        self.hasTLS = hasTLS
        self.keepsContent = keepsContent
        self.transaction = ScriptedTransaction(keepsContent: keepsContent)
    }

    /// The connection is there.
    func opened() -> [Action] {
        self.perform(.greeting, usual: "220 \(self.hostName) ESMTP").actions
    }

    /// The handshake is done; what was said before it is forgotten (RFC 3207 §4.2).
    mutating func secured(_ info: TLSConnectionInfo) {
        self.tls = info
        self.helloName = ""
        self.offered = ScriptedExtensions([])
        self.resetTransaction()
    }

    /// What to do about the next line or piece of content; `nil` until there is more.
    mutating func next(_ buffer: inout ByteBuffer) -> [Action]? {
        guard buffer.readableBytes > 0 else { return nil }
        switch self.mode {
        case .commands: return self.nextCommand(&buffer)
        case .content(let decoder): return self.nextContent(&buffer, decoder)
        case .chunk(let size, let remaining, let isLast):
            return self.nextOfChunk(&buffer, size: size, remaining: remaining, isLast: isLast)
        }
    }

    private mutating func nextCommand(_ buffer: inout ByteBuffer) -> [Action]? {
        let (consumed, result) = self.commands.decode(buffer.readableBytesUInt8Span)
        buffer.moveReaderIndex(forwardBy: consumed)
        switch result {
        case .needInput: return nil
        case .line(let line): return self.command(String(decoding: line, as: UTF8.self))
        case .malformed, .lineTooLong, .endless: return [.write("500 5.5.2 That is no line\r\n"), .close]
        }
    }

    // MARK: Content

    private mutating func nextContent(_ buffer: inout ByteBuffer, _ old: SMTPContentDecoder) -> [Action]? {
        var decoder = old
        let (consumed, isEnd) = self.transaction.decode(buffer.readableBytesUInt8Span, with: &decoder)
        buffer.moveReaderIndex(forwardBy: consumed)
        guard isEnd else {
            self.mode = .content(decoder)
            return nil
        }
        self.transaction.fault = decoder.fault
        return self.endOfData()
    }

    private mutating func nextOfChunk(
        _ buffer: inout ByteBuffer, size: Int, remaining: Int, isLast: Bool
    ) -> [Action]? {
        let count = min(remaining, buffer.readableBytes)
        if let bytes = buffer.readSlice(length: count) { self.transaction.append(bytes.readableBytesView) }
        self.mode = .chunk(size: size, remaining: remaining - count, isLast: isLast)
        return count == remaining ? self.endOfChunk(size, isLast: isLast) : nil
    }

    /// A chunk was read whole; the last one is the end of the data.
    mutating func endOfChunk(_ size: Int, isLast: Bool) -> [Action] {
        self.mode = .commands
        guard self.transaction.takesChunks else { return [.write("503 5.5.1 No transaction for this chunk\r\n")] }
        guard self.transaction.size <= Self.maximumContentLength else { return [.close] }
        self.transaction.chunks.append(size)
        if isLast { return self.endOfData() }
        let (actions, code) = self.perform(
            .chunk(self.transaction.chunks.count), usual: "250 2.0.0 \(size) bytes are here")
        // Behind a refused chunk there is only RSET (RFC 3030 §2).
        self.transaction.hasRefusedChunk = !Self.isPositive(code)
        return actions
    }

    private mutating func endOfData() -> [Action] {
        let usual = self.transaction.fault.map { "550 5.6.0 Refused: \($0)" } ?? "250 2.0.0 Ok: taken"
        let (actions, code) = self.perform(.endOfData, usual: usual)
        let mail = self.transaction.mail(
            connection: self.connection, helloName: self.helloName, tls: self.tls, replyCode: code)
        self.mode = .commands
        self.resetTransaction()
        // It is stored before the client can hear of it, so that a test which waits for the reply finds it.
        return [.store(mail)] + actions
    }

    // MARK: Helpers

    mutating func resetTransaction() { self.transaction = ScriptedTransaction(keepsContent: self.keepsContent) }

    /// The actions of the rules at `step`, and the first code that they say.
    func perform(_ step: ScriptedRule.Step, usual: String) -> (actions: [Action], code: Int?) {
        var code: Int?
        let actions = self.rules.acts(at: step, connection: self.connection).map { act -> Action in
            switch act {
            case .reply(let text): .write(Self.lines(text))
            case .bytes(let text): .write(text)
            case .proceed: .write(Self.lines(usual))
            case .wait(let duration): .wait(duration)
            case .stall(let duration): .stall(duration)
            case .close: .close
            }
        }
        for action in actions {
            if case .write(let text) = action, code == nil { code = Int(text.prefix(3)) }
        }
        return (actions, code)
    }

    private static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0 + "\r\n" }.joined()
    }

    static func isPositive(_ code: Int?) -> Bool { code.map { (200..<300).contains($0) } ?? false }
}
