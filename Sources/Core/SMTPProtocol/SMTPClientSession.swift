public import MailModel

/// The client side of one SMTP connection as a value (RFC 5321 §3, RFC 2920, RFC 3207).
///
/// The owner offers *all* bytes that it holds to `receive`, drops those consumed and does what the step says. It
/// repeats this until `.needInput` with nothing left, or the end.
///
/// ```
/// greeting ─220▶ hello ─250▶ startTLS ─220▶ handshake ─ tlsEstablished ─▶ hello ─250▶ ready
///                  └─ no TLS asked for, or none to be had and continueInClear ────────▶ │
///            ready ─ begin ─▶ transaction (MAIL, RCPT…, DATA) ─354▶ content ─ finishData ─▶ finalDot ─▶ ready
///                                 or (MAIL, RCPT…) ─250▶ content in chunks
/// ```
public struct SMTPClientSession: Hashable, Sendable {
    enum State: Hashable {
        case greeting
        case hello(isExtended: Bool)
        case startTLS, handshake
        /// The owner is asked whether the session may go on without TLS; the reply that refused it, and what to.
        case withoutTLS(RemoteReply?, at: SMTPClientStage)
        case ready
        case transaction(SMTPClientTransaction)
        case verification(SMTPClientVerification)
        case quit, finished
    }

    let helloName: String
    /// Whether TLS is asked for where it is offered.
    var asksForTLS: Bool
    let usesChunking: Bool
    private let replyLimits: SMTPReplyDecoder.Limits
    private var replies: SMTPReplyDecoder
    /// Bytes of text that the replies of the transaction under way may still keep.
    private var textLeft = 0
    var state = State.greeting
    /// Whether the server still holds a transaction that came to nothing; the next message begins with RSET then.
    var needsReset = false

    /// What the server offers now; forgotten at STARTTLS (RFC 3207 §4.2).
    public internal(set) var capabilities = SMTPServerCapabilities()
    /// The TLS session, once there is one.
    public internal(set) var tls: TLSInfo?
    /// What the server said to STARTTLS, where it refused and the session went on in clear.
    public internal(set) var startTLSRefusal: RemoteReply?
    /// The outcomes of the last message, or of the present one as it began.
    var lastOutcomes: [AttemptOutcome?] = []
    /// The outcomes of the present or last message so far; `nil` where undecided.
    public var recipientOutcomes: [AttemptOutcome?] {
        if case .transaction(let transaction) = self.state { transaction.outcomes } else { self.lastOutcomes }
    }

    /// A session on a new connection, which introduces itself as `helloName`.
    ///
    /// - Parameters:
    ///   - asksForTLS: whether STARTTLS comes before any mail; without it everything goes in clear.
    ///   - usesChunking: content goes by BDAT where the host offers that; else by DATA always.
    public init(
        helloName: DomainName, asksForTLS: Bool, usesChunking: Bool = true,
        replyLimits: SMTPReplyDecoder.Limits = SMTPReplyDecoder.Limits()
    ) {
        self.helloName = helloName.text
        self.asksForTLS = asksForTLS
        self.usesChunking = usesChunking
        self.replyLimits = replyLimits
        self.replies = SMTPReplyDecoder(limits: replyLimits)
    }

    /// How far the connection is.
    public var stage: SMTPClientStage {
        switch self.state {
        case .greeting: .greeting
        case .hello: .hello
        case .startTLS: .startTLS
        case .handshake: .handshake
        case .withoutTLS(_, let stage): stage
        case .ready: .ready
        case .transaction(let transaction): transaction.stage
        case .verification(let verification): verification.stage
        case .quit: .quit
        case .finished: .finished
        }
    }

    /// What the session waits for now; see `SMTPTimeouts`.
    public var waitingFor: SMTPTimeouts.ClientWait {
        switch self.stage {
        case .greeting: .greeting
        case .hello, .startTLS, .reset, .quit: .command
        case .handshake: .handshake
        case .mail, .recipient: .envelope
        case .data: .dataInitiation
        case .content: .dataBlock
        case .finalDot: .dataTermination
        case .ready, .finished: .nothing
        }
    }

    // MARK: - Events

    /// Takes bytes of the server; a step consumes at most one reply.
    public mutating func receive(_ input: Span<UInt8>) -> SMTPClientStep {
        guard self.takesReplies else { return SMTPClientStep(0, .needInput) }
        let (consumed, result) = self.replies.decode(input, keeping: self.textKept)
        switch result {
        case .needInput: return SMTPClientStep(consumed, .needInput)
        case .malformed: return SMTPClientStep(consumed, self.fail(.protocolError(self.stage)))
        case .reply(let reply):
            self.textLeft -= reply.textLength
            let action = self.received(reply, hasMoreInput: consumed < input.count)
            return SMTPClientStep(consumed, action, isWholeReply: true)
        }
    }

    /// Whether a reply may be read now: not while the owner is asked, nor during a handshake.
    private var takesReplies: Bool {
        switch self.state {
        case .handshake, .withoutTLS, .finished: false
        case .greeting, .hello, .startTLS, .ready, .transaction, .verification, .quit: true
        }
    }

    /// Bytes of text that are kept of the next reply. Those of a transaction stay as long as it lasts.
    private var textKept: Int {
        switch self.state {
        case .hello: self.replyLimits.helloText
        case .transaction: max(self.replyLimits.leastText, min(self.replyLimits.text, self.textLeft))
        default: self.replyLimits.text
        }
    }

    /// Answers `.startTLS`; what the server said in clear is forgotten.
    public mutating func tlsEstablished(_ info: TLSInfo) -> SMTPClientAction {
        guard self.state == .handshake else { return self.fail(.protocolError(self.stage)) }
        self.tls = info
        self.capabilities = SMTPServerCapabilities()
        return self.sendHello(isExtended: true)
    }

    /// Answers `.startTLSUnavailable` where TLS is not owed. STARTTLS is not asked for again.
    public mutating func continueInClear() -> SMTPClientAction {
        guard case .withoutTLS(let refusal, let stage) = self.state else {
            return self.fail(.protocolError(self.stage))
        }
        self.asksForTLS = false
        switch refusal {
        case nil: return self.becomeReady()
        // A host from before extensions (§3.2).
        case _ where stage == .hello: return self.sendHello(isExtended: false)
        case let refusal? where refusal.code == 421: return self.fail(.serviceClosing(refusal, at: stage))
        case let refusal:
            self.startTLSRefusal = refusal
            return self.becomeReady()
        }
    }

    /// Begins a transaction. Only in `.ready`; the action is `.send`, or `.messageDone` where the server cannot take it.
    public mutating func begin(_ message: SMTPClientMessage) -> SMTPClientAction {
        guard self.state == .ready else { return self.fail(.protocolError(self.stage)) }
        self.textLeft = self.replyLimits.transactionText
        self.lastOutcomes = message.limitations(of: self.capabilities).map { $0.map { AttemptOutcome($0) } }
        guard self.lastOutcomes.contains(nil) else { return .messageDone(self.lastOutcomes) }
        var transaction = SMTPClientTransaction(
            message: message, capabilities: self.capabilities, outcomes: self.lastOutcomes,
            resetFirst: self.needsReset)
        self.needsReset = false
        let bytes = transaction.nextCommands()
        self.state = .transaction(transaction)
        return .send(bytes)
    }

    /// Asks whether the server takes a recipient, without sending it anything. Only in `.ready`; the answer is
    /// `.messageDone` with one outcome, in which a refusal of the null sender counts as "not now".
    public mutating func verify(_ recipient: ForwardPath) -> SMTPClientAction {
        guard self.state == .ready else { return self.fail(.protocolError(self.stage)) }
        if !self.capabilities.smtpUTF8, let limitation = HostLimitation(noSMTPUTF8For: recipient) {
            let outcome = AttemptOutcome(limitation)
            self.lastOutcomes = [outcome]
            return .messageDone([outcome])
        }
        self.lastOutcomes = [nil]
        let verification = SMTPClientVerification(of: recipient, resetFirst: self.needsReset)
        self.state = .verification(verification)
        return .send(verification.command)
    }

    /// Whether more content is of any use: not where the server has refused a chunk, or failed.
    public var takesContent: Bool {
        if case .transaction(let transaction) = self.state { transaction.takesContent } else { false }
    }

    /// Appends content in its wire form to `output`; only after `.transferContent`.
    public mutating func encode(_ content: Span<UInt8>, into output: inout [UInt8]) {
        guard case .transaction(var transaction) = self.state else { return }
        self.state = .finished
        transaction.encode(content, into: &output)
        self.state = .transaction(transaction)
    }

    /// Ends the content. Write and flush these bytes, the final dot or what ends the last chunk, in the same turn as
    /// the lease was checked.
    ///
    /// It is `nil` when there is no content to end. The server has meanwhile refused or failed, or the content was not
    /// as long as the message said.
    public mutating func finishData() -> [UInt8]? {
        guard case .transaction(var transaction) = self.state, let bytes = transaction.finish() else { return nil }
        self.state = .transaction(transaction)
        return bytes
    }

    /// Gives the connection up, as when the lease is too short for the final dot: close it without writing more.
    public mutating func abandon() -> SMTPClientAction { self.fail(self.lossFailure(or: .abandoned)) }

    /// Says goodbye; only in `.ready`, else the connection is simply to be closed.
    public mutating func quit() -> SMTPClientAction {
        guard self.state == .ready else {
            self.state = .finished
            return .closed
        }
        self.state = .quit
        return .send(Array("QUIT\r\n".utf8))
    }

    /// The connection ended, or a deadline passed and the owner ended it.
    public mutating func connectionClosed() -> SMTPClientAction {
        switch self.stage {
        case .quit, .finished:
            self.state = .finished
            return .closed
        case let stage:
            return self.fail(.connectionLost(stage, afterFinalDot: stage == .finalDot))
        }
    }

    private func lossFailure(or failure: SMTPClientFailure) -> SMTPClientFailure {
        self.stage == .finalDot ? .connectionLost(.finalDot, afterFinalDot: true) : failure
    }

    mutating func fail(_ failure: SMTPClientFailure) -> SMTPClientAction {
        self.lastOutcomes = self.recipientOutcomes
        self.state = .finished
        return .failed(failure)
    }
}
