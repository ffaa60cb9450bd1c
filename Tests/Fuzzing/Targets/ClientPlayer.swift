import MailModel
import SMTPProtocol

/// What a server and the delivery engine see of a client session.
enum ClientEvent: Equatable {
    case sent([UInt8])
    case beganTLS
    case withoutTLS(RemoteReply?)
    case ready(SMTPServerCapabilities)
    case done([AttemptOutcome?])
    case failed(SMTPClientFailure)
    case closed
}

/// A client session whose owner has a few messages to send, and promises that hold at each step.
struct ClientPlayer {
    private(set) var session: SMTPClientSession
    private(set) var events: [ClientEvent] = []
    private(set) var isOver = false
    private let tls: TLS
    /// What the owner asks of TLS.
    enum TLS { case none, opportunistic, required }
    /// The messages that are left, the present one first; none after that one stands for a question about a recipient.
    private var messages: ArraySlice<SMTPClientMessage>
    private var isVerifying = false
    private var hasEndedContent = false

    init(_ session: SMTPClientSession, _ tls: TLS, _ messages: [SMTPClientMessage]) {
        self.session = session
        self.tls = tls
        self.messages = messages[...]
    }

    /// Offers a server's bytes and does what is said until more are needed.
    mutating func play(_ input: [UInt8], _ pieces: Pieces) throws(Violation) {
        var start = 0
        var end = 0
        for length in pieces.lengths(of: input) where !self.isOver {
            end += length
            var steps = 2 * (end - start) + 8
            repeat {
                let step = self.session.receive(input.span.extracting(start..<end))
                try promise(step.consumed >= 0 && step.consumed <= end - start, "more consumed than offered")
                if step.action == .needInput, !step.isWholeReply {
                    try promise(step.consumed == end - start, "more is needed than what is not read")
                }
                start += step.consumed
                try self.act(step.action)
                steps -= 1
                try promise(steps > 0, "no progress")
            } while !self.isOver && start < end
        }
        if self.isOver { try self.checkEnd() }
    }

    // MARK: - Acting

    private mutating func act(_ action: SMTPClientAction) throws(Violation) {
        switch action {
        case .needInput: break
        case .send(let bytes): try self.send(bytes)
        case .startTLS:
            try promise(self.tls != .none && self.session.tls == nil, "TLS that nobody wants")
            self.events.append(.beganTLS)
            let action = self.session.tlsEstablished(TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"))
            try promise(self.session.capabilities == SMTPServerCapabilities(), "what was said in clear is remembered")
            try self.act(action)
        case .startTLSUnavailable(let reply):
            try promise(self.tls != .none && self.session.tls == nil, "TLS that nobody asked for is not to be had")
            self.events.append(.withoutTLS(reply))
            if self.tls == .required {
                try self.act(self.session.abandon())
            } else {
                try self.act(self.session.continueInClear())
            }
        case .ready(let capabilities):
            self.events.append(.ready(capabilities))
            try self.goOn()
        case .transferContent: try self.transfer()
        case .messageDone(let outcomes):
            try self.check(outcomes)
            self.events.append(.done(outcomes))
            if !self.isVerifying { self.messages = self.messages.dropFirst() }
            try self.goOn()
        case .failed(let failure):
            try promise(!failure.isAmbiguous || self.hasEndedContent, "ambiguous, although the content never ended")
            self.events.append(.failed(failure))
            self.isOver = true
        case .closed:
            self.events.append(.closed)
            self.isOver = true
        }
    }

    /// The next message, then a question about a recipient, then goodbye.
    private mutating func goOn() throws(Violation) {
        self.hasEndedContent = false
        if let message = self.messages.first {
            try self.act(self.session.begin(message))
        } else if !self.isVerifying, let path = ForwardPath("<asked@mx.test>") {
            self.isVerifying = true
            try self.act(self.session.verify(path))
        } else {
            try self.act(self.session.quit())
        }
    }

    private mutating func transfer() throws(Violation) {
        var output: [UInt8] = []
        for piece in Self.content { self.session.encode(piece.span, into: &output) }
        guard let end = self.session.finishData() else { throw Violation("content that cannot be ended") }
        self.hasEndedContent = true
        try self.send(output + end)
    }

    private mutating func send(_ bytes: [UInt8]) throws(Violation) {
        try promise(bytes.hasOnlyWholeLineEnds && bytes.suffix(2) == [13, 10], "a stray CR, LF or NUL is sent")
        if self.tls == .required, self.session.tls == nil {
            let harmless = ["EHLO", "HELO", "STAR", "QUIT"].contains { bytes.starts(with: $0.utf8) }
            try promise(harmless && bytes.count { $0 == 10 } == 1, "mail in clear where TLS is owed")
        }
        self.events.append(.sent(bytes))
    }

    // MARK: - Promises

    private func check(_ outcomes: [AttemptOutcome?]) throws(Violation) {
        let count = self.isVerifying ? 1 : self.messages.first?.recipients.count
        try promise(outcomes.count == count, "outcomes for others than the recipients")
        let isDelivered = outcomes.contains { $0?.isDelivered == true }
        try promise(!isDelivered || self.hasEndedContent || self.isVerifying, "delivered before the content ended")
        for case .delivered(let acceptance)? in outcomes {
            try promise((200..<300).contains(acceptance.replyCode), "delivered with \(acceptance.replyCode)")
        }
    }

    /// After the end nothing more is said, and nothing more is taken for an answer.
    private func checkEnd() throws(Violation) {
        var session = self.session
        let step = session.receive(Array("250 2.0.0 stored\r\n".utf8).span)
        try promise(step.action == .needInput || step.action == .closed, "a life after the end: \(step.action)")
        try promise(session.finishData() == nil, "content after the end")
    }

    /// A connection that is lost now harms nothing but the present message.
    func checkLoss() throws(Violation) {
        guard !self.isOver else { return }
        var player = self
        switch player.session.connectionClosed() {
        case .closed: break
        case .failed(let failure):
            try promise(!failure.isAmbiguous || self.hasEndedContent, "ambiguous, although the content never ended")
        case let action: throw Violation("a loss is answered by \(action)")
        }
        player.isOver = true
        try player.checkEnd()
    }

    /// The bytes of the content of every message.
    static let contentSize = content.map(\.count).reduce(0, +)
    private static let content = [
        Array("Subject: dots\r".utf8), Array("\n\r\n.\r\n..".utf8), Array("text\rwith\nstray ends".utf8),
    ]
}
