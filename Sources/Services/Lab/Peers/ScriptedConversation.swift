import NIOCore
import TLSEngine

/// The server's side of one SMTP conversation as rules direct it: bytes in, actions out.
struct ScriptedConversation {
    enum Action: Equatable {
        case write(String)
        case wait(Duration)
        case startTLS
        case store(ScriptedMail)
        case command(String)
        case close
    }

    static let usualExtensions = ["PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"]
    /// The peer is for tests: what passes these limits ends the connection.
    static let maximumLineLength = 1 << 16
    static let maximumContentLength = 64 << 20

    private enum Mode { case commands, content }

    private let hostName: String
    private let rules: [ScriptedRule]
    private let connection: Int
    private let hasTLS: Bool
    private let keepsContent: Bool
    private var mode = Mode.commands
    private var helloName = ""
    private var reversePath: String?
    private var recipients: [String] = []
    private var recipientCount = 0
    private var content: [UInt8] = []
    private var tls: TLSConnectionInfo?

    init(hostName: String, rules: [ScriptedRule], connection: Int, hasTLS: Bool, keepsContent: Bool) {
        self.hostName = hostName
        self.rules = rules
        self.connection = connection
        self.hasTLS = hasTLS
        self.keepsContent = keepsContent
    }

    /// The connection is there.
    func opened() -> [Action] {
        self.perform(.greeting, usual: "220 \(self.hostName) ESMTP").actions
    }

    /// The handshake is done; what was said before it is forgotten (RFC 3207 §4.2).
    mutating func secured(_ info: TLSConnectionInfo) {
        self.tls = info
        self.helloName = ""
        self.resetTransaction()
    }

    /// What to do about the next line or piece of content; `nil` until there is more.
    mutating func next(_ buffer: inout ByteBuffer) -> [Action]? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            return buffer.readableBytes > Self.maximumLineLength ? [.close] : nil
        }
        let length = end - buffer.readerIndex + 1
        guard let line = buffer.readSlice(length: length)?.readableBytesView else { return nil }
        switch self.mode {
        case .commands: return self.command(Self.text(line))
        case .content: return self.contentLine(line)
        }
    }

    // MARK: Commands

    private mutating func command(_ line: String) -> [Action] {
        let verb = line.prefix { !$0.isWhitespace }.uppercased()
        let actions: [Action]
        switch verb {
        case "EHLO", "HELO": actions = self.hello(verb, line)
        case "STARTTLS": actions = self.startTLS()
        case "MAIL": actions = self.mail(line)
        case "RCPT": actions = self.recipient(line)
        case "DATA": actions = self.data()
        case "RSET":
            self.resetTransaction()
            actions = self.perform(.reset, usual: "250 2.0.0 Ok").actions
        case "QUIT": actions = self.perform(.quit, usual: "221 2.0.0 Bye").actions + [.close]
        case "NOOP": actions = self.perform(.other, usual: "250 2.0.0 Ok").actions
        default: actions = self.perform(.other, usual: "500 5.5.2 What?").actions
        }
        return [.command(line)] + actions
    }

    private mutating func hello(_ verb: String, _ line: String) -> [Action] {
        self.resetTransaction()
        self.helloName = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        guard verb == "EHLO" else { return self.perform(.hello, usual: "250 \(self.hostName)").actions }
        let offered = self.rules.extensions ?? Self.usualExtensions + (self.hasTLS ? ["STARTTLS"] : [])
        let words = [self.hostName] + offered.filter { self.tls == nil || $0 != "STARTTLS" }
        let lines = words.enumerated().map { "250\($0.offset == words.count - 1 ? " " : "-")\($0.element)" }
        return self.perform(.hello, usual: lines.joined(separator: "\n")).actions
    }

    private mutating func startTLS() -> [Action] {
        guard self.hasTLS, self.tls == nil else {
            return self.perform(.startTLS, usual: "502 5.5.1 Not now").actions
        }
        let (actions, code) = self.perform(.startTLS, usual: "220 2.0.0 Go ahead")
        return code == 220 && !actions.contains(.close) ? actions + [.startTLS] : actions
    }

    private mutating func mail(_ line: String) -> [Action] {
        self.resetTransaction()
        let (actions, code) = self.perform(.mail, usual: "250 2.1.0 Ok")
        if Self.isPositive(code) { self.reversePath = Self.path(line) }
        return actions
    }

    private mutating func recipient(_ line: String) -> [Action] {
        guard self.reversePath != nil else { return [.write("503 5.5.1 MAIL first\r\n")] }
        self.recipientCount += 1
        let (actions, code) = self.perform(.recipient(self.recipientCount), usual: "250 2.1.5 Ok")
        if Self.isPositive(code) { self.recipients.append(Self.path(line)) }
        return actions
    }

    private mutating func data() -> [Action] {
        guard !self.recipients.isEmpty else { return [.write("503 5.5.1 RCPT first\r\n")] }
        let (actions, code) = self.perform(.data, usual: "354 End with a dot")
        if code == 354 { self.mode = .content }
        return actions
    }

    // MARK: Content

    private mutating func contentLine(_ line: ByteBufferView) -> [Action] {
        let dot = UInt8(ascii: ".")
        if line.count == 3, line.first == dot, line.dropFirst().first == UInt8(ascii: "\r") { return self.endOfData() }
        guard self.content.count + line.count <= Self.maximumContentLength else { return [.close] }
        self.content.append(contentsOf: line.first == dot ? line.dropFirst() : line[...])
        return []
    }

    private mutating func endOfData() -> [Action] {
        let (actions, code) = self.perform(.endOfData, usual: "250 2.0.0 Ok: taken")
        let mail = ScriptedMail(
            connection: self.connection, helloName: self.helloName, reversePath: self.reversePath ?? "",
            recipients: self.recipients, content: self.keepsContent ? self.content : [],
            messageID: ScriptedMail.messageID(in: self.content), tls: self.tls, replyCode: code)
        self.mode = .commands
        self.resetTransaction()
        // It is stored before the client can hear of it, so that a test which waits for the reply finds it.
        return [.store(mail)] + actions
    }

    // MARK: Helpers

    private mutating func resetTransaction() {
        self.reversePath = nil
        self.recipients = []
        self.recipientCount = 0
        self.content.removeAll(keepingCapacity: true)
    }

    /// The actions of the rules at `step`, and the first code that they say.
    private func perform(_ step: ScriptedRule.Step, usual: String) -> (actions: [Action], code: Int?) {
        var code: Int?
        let actions = self.rules.acts(at: step, connection: self.connection).map { act -> Action in
            switch act {
            case .reply(let text): .write(Self.lines(text))
            case .bytes(let text): .write(text)
            case .proceed: .write(Self.lines(usual))
            case .wait(let duration): .wait(duration)
            case .close: .close
            }
        }
        for action in actions {
            if case .write(let text) = action, code == nil { code = Int(text.prefix(3)) }
        }
        return (actions, code)
    }

    /// A line without its end.
    private static func text(_ line: ByteBufferView) -> String {
        let ending = line.dropLast().last == UInt8(ascii: "\r") ? 2 : 1
        return String(decoding: line.dropLast(ending), as: UTF8.self)
    }

    private static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0 + "\r\n" }.joined()
    }

    private static func isPositive(_ code: Int?) -> Bool { code.map { (200..<300).contains($0) } ?? false }

    private static func path(_ line: String) -> String {
        guard let start = line.firstIndex(of: "<"), let end = line.lastIndex(of: ">"), start < end else { return "" }
        return String(line[line.index(after: start)..<end])
    }
}
