public import MailModel

/// The server side of one SMTP connection as a value (RFC 5321 §3, §4).
///
/// The owner writes the reply of `greet()`, then offers *all* bytes that it holds to `receive`, drops those consumed and
/// does what the step says, again and again until `.needInput`, `.waitForOwner` or a close. Bytes beyond a command are
/// seen here too, which is how talking out of turn is noticed.
///
/// ```
/// unopened ─ greet ─▶ commands ─ RCPT ─▶ decidingRecipient ─ recipientDecided ─▶ commands
///                     │  ▲  │  └─ STARTTLS ─▶ handshaking ─ tlsEstablished ─▶ commands, everything forgotten
///                     │  ├──┼─ AUTH ─▶ authenticating ─▶ decidingCredentials ─ authenticationDecided ─▶ commands
///                     │  │  └─ DATA ─▶ receiving ─ CRLF.CRLF ─▶ storing ─┐
///                     │  └──────────────────────────────── messageStored ┘
///                     └─ QUIT, a limit, a violation ─▶ closed
/// ```
public struct SMTPServerSession: Hashable, Sendable {
    /// What a session is told at its start.
    public struct Configuration: Hashable, Sendable {
        /// The name in the greeting and in the reply to EHLO.
        public var hostName: DomainName
        /// Whether STARTTLS is offered.
        public var offersSTARTTLS: Bool
        /// Whether AUTH is offered, once there is TLS; the owner then answers `.authenticate`.
        public var offersAuthentication = false
        /// The limits.
        public var limits: SMTPServerLimits

        /// A configuration.
        public init(hostName: DomainName, offersSTARTTLS: Bool, limits: SMTPServerLimits = SMTPServerLimits()) {
            self.hostName = hostName
            self.offersSTARTTLS = offersSTARTTLS
            self.limits = limits
        }
    }

    enum State: Hashable {
        case unopened, commands
        case decidingRecipient(ForwardPath)
        case handshaking
        case authenticating(Authentication)
        case decidingCredentials
        case receiving(SMTPDataDecoder, refusal: SMTPReply?)
        case storing
        case closed
    }

    let configuration: Configuration
    var state = State.unopened
    var lines: SMTPCommandDecoder
    var sawCommand = false
    var errorCount = 0
    var idleCount = 0
    var authenticationFailures = 0

    /// The client's introduction; forgotten at STARTTLS.
    public internal(set) var hello: Envelope.Hello?
    /// The transaction that is open, if one is.
    public internal(set) var envelope: Envelope?
    /// The TLS session, once there is one.
    public internal(set) var tls: TLSInfo?
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
        case .commands, .authenticating: .command
        case .handshaking: .handshake
        case .receiving: .data
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
    /// A step consumes at most one command, or the content of at most one message.
    public mutating func receive(_ input: Span<UInt8>, content: inout [UInt8]) -> SMTPServerStep {
        switch self.state {
        case .unopened:
            guard !input.isEmpty else { return SMTPServerStep(0, .needInput) }
            return SMTPServerStep(input.count, self.close(SMTPServerReplies.spokeTooSoon))
        case .commands:
            return self.receiveCommand(input)
        case .receiving(let decoder, let refusal):
            // The state holds no copy while the decoder changes.
            self.state = .closed
            return self.receiveContent(input, decoder, refusal, &content)
        case .authenticating(let authentication):
            return self.receiveResponse(input, authentication)
        case .decidingRecipient, .decidingCredentials, .handshaking, .storing:
            return SMTPServerStep(0, .waitForOwner)
        case .closed:
            return SMTPServerStep(input.count, .needInput)
        }
    }

    /// Answers `.decideRecipient`.
    public mutating func recipientDecided(_ decision: SMTPRecipientDecision) -> SMTPServerAction {
        guard case .decidingRecipient(let path) = self.state else { return .waitForOwner }
        self.state = .commands
        switch decision {
        case .accept:
            self.envelope?.recipients.append(EnvelopeRecipient(path))
            return .reply(SMTPServerReplies.recipientOK)
        case .refuse(let reply):
            return self.answer(reply)
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
        if reply.isPositiveCompletion { self.idleCount = 0 }
        return self.answer(reply)
    }

    /// Refuses the message that is being received: its rest is read and dropped, and this is the reply at its end.
    public mutating func refuseRestOfMessage(_ reply: SMTPReply) {
        guard case .receiving(let decoder, nil) = self.state else { return }
        self.state = .receiving(decoder, refusal: reply)
    }

    /// Ends the session on the owner's account, such as a deadline or a drain: write this 421 and close.
    public mutating func shutDown(_ text: String) -> SMTPServerAction {
        let reply = SMTPReply(421, EnhancedStatusCode(.persistentTransientFailure, 3, 2), text)
        if case .receiving = self.state {
            self.state = .closed
            return .discardMessageAndClose(reply)
        }
        return self.close(reply)
    }

    // MARK: - Content

    private mutating func receiveContent(
        _ input: Span<UInt8>, _ decoder: SMTPDataDecoder, _ refusal: SMTPReply?, _ content: inout [UInt8]
    ) -> SMTPServerStep {
        var decoder = decoder
        var dropped: [UInt8] = []
        let isRefused = refusal != nil
        let (consumed, isEnd) =
            isRefused ? decoder.decode(input, into: &dropped) : decoder.decode(input, into: &content)
        guard isEnd else {
            let limit = self.configuration.limits.messageBytes + self.configuration.limits.discardedMessageBytes
            if decoder.fault != nil, decoder.consumed > limit {
                self.state = .closed
                return SMTPServerStep(consumed, .discardMessageAndClose(SMTPServerReplies.tooLarge))
            }
            self.state = .receiving(decoder, refusal: refusal)
            return SMTPServerStep(consumed, .needInput)
        }
        let envelope = self.envelope
        // One reset after every end of data: nothing of this transaction is there for a RCPT or DATA after it.
        self.resetTransaction()
        self.state = .commands
        if let reply = refusal ?? decoder.fault.map(SMTPServerReplies.refusal(of:)) {
            return SMTPServerStep(consumed, self.discard(reply))
        }
        guard let envelope else { return SMTPServerStep(consumed, .discardMessage(SMTPServerReplies.badSequence)) }
        self.state = .storing
        return SMTPServerStep(consumed, .messageEnded(envelope, size: decoder.size))
    }

    private mutating func discard(_ reply: SMTPReply) -> SMTPServerAction {
        switch self.answer(reply) {
        case .close(let last): .discardMessageAndClose(last)
        default: .discardMessage(reply)
        }
    }

    // MARK: - Shared by all commands

    /// The one place that clears a transaction, all of it.
    mutating func resetTransaction() { self.envelope = nil }

    mutating func close(_ reply: SMTPReply) -> SMTPServerAction {
        self.state = .closed
        return .close(reply)
    }

    /// Counts a refusal, and ends the session at the limit.
    mutating func answer(_ reply: SMTPReply) -> SMTPServerAction {
        if reply.code == 421 { return self.close(reply) }
        guard reply.isPermanent else { return .reply(reply) }
        self.errorCount += 1
        guard self.errorCount >= self.configuration.limits.errors else { return .reply(reply) }
        return self.close(SMTPServerReplies.tooManyErrors)
    }
}
