public import MailModel

/// The server side of one SMTP connection as a value (RFC 5321 §3, §4).
///
/// The owner writes the reply of `greet()`. It then offers *all* bytes that it holds to `receive`, drops those consumed
/// and does what the step says. It repeats this until `.needInput`, `.waitForOwner` or a close. Bytes beyond a command
/// are seen here too, which is how talking out of turn is noticed.
///
/// ```
/// unopened ─ greet ─▶ commands ─ RCPT ─▶ decidingRecipient ─ recipientDecided ─▶ commands
///                     │  ▲  │  └─ STARTTLS ─▶ handshaking ─ tlsEstablished ─▶ commands, everything forgotten
///                     │  ├──┼─ AUTH ─▶ authenticating ─▶ decidingCredentials ─ authenticationDecided ─▶ commands
///                     │  ├──┼─ BDAT ─▶ receivingChunk ─▶ commands, with LAST ─▶ storing
///                     │  │  └─ DATA ─▶ receivingData ─ CRLF.CRLF ─▶ storing ─┐
///                     │  └──────────────────────────────────── messageStored ┘
///                     └─ QUIT, a limit, a violation ─▶ closed
/// ```
public struct SMTPServerSession: Hashable, Sendable {
    enum State: Hashable {
        case unopened, commands
        case decidingRecipient(EnvelopeRecipient)
        case handshaking
        case authenticating(Authentication)
        case decidingCredentials
        case receivingData
        case receivingChunk(SMTPServerChunk)
        case storing
        case closed
    }

    var configuration: Configuration
    var state = State.unopened
    var lines: SMTPCommandDecoder
    var sawCommand = false
    var errorCount = 0
    var idleCount = 0
    var mailCount = 0
    var recipientsPutOff = 0
    var authenticationFailures = 0
    var transaction: SMTPServerTransaction?

    /// The client's introduction; forgotten at STARTTLS.
    public internal(set) var hello: Envelope.Hello?
    /// The envelope of the transaction that is open, if one is.
    public var envelope: Envelope? { self.transaction?.envelope }
    /// The TLS session, once there is one.
    public internal(set) var tls: TLSInfo?
    /// Whether DSN is offered. To a client that may prove by AUTH who it is, it is offered all the same.
    ///
    /// A client that is not offered DSN tells its own sender that it relayed (RFC 3461 §5.2.2), so nobody misses a report.
    public var offersDSN = true
    /// Whether STARTTLS is offered, from the next command on.
    public var offersSTARTTLS: Bool {
        get { self.configuration.offersSTARTTLS }
        set { self.configuration.offersSTARTTLS = newValue }
    }
    /// Whether AUTH is offered once there is TLS, from the next command on.
    public var offersAuthentication: Bool {
        get { self.configuration.offersAuthentication }
        set { self.configuration.offersAuthentication = newValue }
    }
    /// Who the client has proved to be by AUTH.
    public internal(set) var authenticatedIdentity: String?

    /// A session on a new connection.
    public init(configuration: Configuration) {
        self.configuration = configuration
        self.lines = SMTPCommandDecoder(
            lineLimit: configuration.limits.commandLineBytes, discardLimit: configuration.limits.discardedLineBytes)
    }

    /// What the session waits for now; see `SMTPTimeouts`.
    public var waitingFor: SMTPTimeouts.ServerWait {
        switch self.state {
        // Between its chunks too a message must come at its rate.
        case .commands: self.transaction?.content == nil ? .command : .data
        case .authenticating: .command
        case .handshaking: .handshake
        case .receivingData, .receivingChunk: .data
        case .unopened, .decidingRecipient, .decidingCredentials, .storing: .owner
        case .closed: .nothing
        }
    }

    // MARK: - Events

    /// Opens the session: write this greeting. Bytes that came before it belong to `receive` first, which refuses them.
    public mutating func greet() -> SMTPReply {
        if self.state == .unopened { self.state = .commands }
        return SMTPReply(220, nil, "\(self.configuration.hostName) ESMTP")
    }

    /// Takes bytes of the client; content of a message is appended to `content`.
    ///
    /// A step consumes at most one command with its chunk, or the content of at most one message.
    public mutating func receive(_ input: Span<UInt8>, content: inout [UInt8]) -> SMTPServerStep {
        switch self.state {
        case .unopened:
            guard !input.isEmpty else { return SMTPServerStep(0, .needInput) }
            return SMTPServerStep(input.count, self.close(SMTPServerReplies.spokeTooSoon))
        case .commands:
            return self.receiveCommand(input, &content)
        case .receivingData:
            return self.receiveData(input, &content)
        case .receivingChunk(let chunk):
            return self.receiveChunk(input, chunk, &content)
        case .authenticating(let authentication):
            return self.receiveResponse(input, authentication)
        case .decidingRecipient, .decidingCredentials, .handshaking, .storing:
            return SMTPServerStep(0, .waitForOwner)
        case .closed:
            return SMTPServerStep(input.count, .needInput)
        }
    }

    /// Answers `.startTLS`: what the client said in clear is forgotten (RFC 3207 §4.2).
    public mutating func tlsEstablished(_ info: TLSInfo) {
        guard self.state == .handshaking else { return }
        self.state = .commands
        self.tls = info
        self.hello = nil
        self.authenticatedIdentity = nil
        self.resetTransaction()
    }

    /// Answers `.messageEnded`: 250 only after the message is safely stored.
    public mutating func messageStored(_ reply: SMTPReply) -> SMTPServerAction {
        guard self.state == .storing else { return .waitForOwner }
        self.state = .commands
        self.resetTransaction()
        // Who brings mail may make the mistakes of one message again with the next; their number is limited as well.
        if reply.isPositiveCompletion { (self.idleCount, self.errorCount, self.recipientsPutOff) = (0, 0, 0) }
        return self.answer(reply)
    }

    /// Refuses the message that is being received. Its rest is read and dropped, and this is the reply at its end, or
    /// at the end of its next chunk.
    public mutating func refuseRestOfMessage(_ reply: SMTPReply) {
        guard self.hasContent, self.transaction?.refusal == nil else { return }
        self.transaction?.refusal = reply
    }

    /// Ends the session on the owner's account, such as a deadline or a drain: write this 421 and close.
    public mutating func shutDown(_ text: String) -> SMTPServerAction {
        self.close(SMTPReply(421, EnhancedStatusCode(.persistentTransientFailure, 3, 2), text))
    }

    // MARK: - Shared by all commands

    /// The owner holds content of the open transaction.
    var hasContent: Bool { self.transaction?.content != nil }

    /// The one place that clears a transaction, all of it.
    mutating func resetTransaction() { self.transaction = nil }

    /// Ends the transaction with this answer; its content, where that has begun, is dropped.
    mutating func abandon(_ action: SMTPServerAction) -> SMTPServerAction {
        // What closes the connection has ended the transaction too.
        guard case .reply(let reply) = action else { return action }
        defer { self.resetTransaction() }
        return self.hasContent ? .discardMessage(reply) : action
    }

    mutating func close(_ reply: SMTPReply) -> SMTPServerAction {
        defer { self.resetTransaction() }
        self.state = .closed
        return self.hasContent ? .discardMessageAndClose(reply) : .close(reply)
    }

    /// Answers, and counts a refusal.
    mutating func answer(_ reply: SMTPReply) -> SMTPServerAction {
        if reply.code == 421 { return self.close(reply) }
        return reply.isPermanent ? self.countError(reply) : .reply(reply)
    }

    /// Answers with an error; the last one that is borne ends the session.
    mutating func countError(_ reply: SMTPReply) -> SMTPServerAction {
        self.errorCount += 1
        guard self.errorCount >= self.configuration.limits.errors else { return .reply(reply) }
        return self.close(SMTPServerReplies.tooManyErrors)
    }

    /// Answers a command that brings no mail nearer; a client has a number of them.
    mutating func idle(_ reply: SMTPReply) -> SMTPServerAction {
        self.idleCount += 1
        guard self.idleCount < self.configuration.limits.idleCommands else {
            return self.close(SMTPServerReplies.tooManyIdleCommands)
        }
        return .reply(reply)
    }
}
