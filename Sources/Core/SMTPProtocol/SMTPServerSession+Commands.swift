internal import MailModel

extension SMTPServerSession {
    mutating func receiveCommand(_ input: Span<UInt8>) -> SMTPServerStep {
        let (consumed, result) = self.lines.decode(input)
        switch result {
        case .needInput:
            return SMTPServerStep(consumed, .needInput)
        case .malformed:
            return SMTPServerStep(consumed, self.close(SMTPServerReplies.malformedLine))
        case .endless:
            return SMTPServerStep(consumed, self.close(SMTPServerReplies.lineTooLong))
        case .lineTooLong:
            return SMTPServerStep(consumed, self.answer(SMTPServerReplies.lineTooLong))
        case .line(let line):
            return SMTPServerStep(consumed, self.run(line, hasMoreInput: consumed < input.count))
        }
    }

    private mutating func run(_ line: [UInt8], hasMoreInput: Bool) -> SMTPServerAction {
        let isFirst = !self.sawCommand
        self.sawCommand = true
        switch SMTPCommand.parse(line) {
        case .failure(.unknown) where isFirst:
            // Whoever opens with HTTP or TLS will not turn to SMTP, and may be made to carry commands in its body.
            return self.close(SMTPServerReplies.notSMTP)
        case .failure(let fault):
            return self.answer(Self.reply(to: fault))
        case .success(let command):
            return self.run(command, hasMoreInput: hasMoreInput)
        }
    }

    private mutating func run(_ command: SMTPCommand, hasMoreInput: Bool) -> SMTPServerAction {
        switch command {
        case .hello(let hello): self.introduce(hello)
        case .startTLS: self.startTLS(hasMoreInput: hasMoreInput)
        case .authenticate(let mechanism, let response): self.authenticate(mechanism, response)
        case .mail(let path, let parameters): self.mail(path, parameters)
        case .recipient(let path, let parameters): self.recipient(path, parameters)
        case .data: self.data(hasMoreInput: hasMoreInput)
        case .reset:
            self.idle(SMTPServerReplies.ok) { $0.resetTransaction() }
        case .noop: self.idle(SMTPServerReplies.ok)
        case .verify: self.idle(SMTPServerReplies.cannotVerify)
        case .quit: self.close(SMTPServerReplies.bye)
        }
    }

    private static func reply(to fault: SMTPCommand.Fault) -> SMTPReply {
        switch fault {
        case .notImplemented: SMTPServerReplies.notImplemented
        case .unknown: SMTPServerReplies.unknownCommand
        case .badArgument: SMTPServerReplies.badArgument
        case .internationalAddress: SMTPServerReplies.internationalAddress
        }
    }

    // MARK: - Commands

    private mutating func introduce(_ hello: Envelope.Hello) -> SMTPServerAction {
        let reply = SMTPReply(250, nil, lines: hello.isExtended ? self.extensions : ["\(self.configuration.hostName)"])
        return self.idle(reply) { session in
            session.hello = hello
            session.resetTransaction()
        }
    }

    /// The reply to EHLO (RFC 5321 §4.1.1.1): what is in this list works, and nothing else does.
    private var extensions: [String] {
        var lines = ["\(self.configuration.hostName)", "PIPELINING", "SIZE \(self.configuration.limits.messageBytes)"]
        if self.configuration.offersSTARTTLS, self.tls == nil { lines.append("STARTTLS") }
        if self.configuration.offersAuthentication, self.tls != nil {
            lines.append("AUTH " + SASLExchange.Mechanism.allCases.map(\.rawValue).joined(separator: " "))
        }
        return lines + ["8BITMIME", "ENHANCEDSTATUSCODES"]
    }

    /// RFC 3207. Bytes behind the command came in clear and may be anybody's: they are not run, and nothing is begun.
    private mutating func startTLS(hasMoreInput: Bool) -> SMTPServerAction {
        if self.tls != nil { return self.answer(SMTPServerReplies.tlsAlready) }
        guard self.configuration.offersSTARTTLS else { return self.answer(SMTPServerReplies.notImplemented) }
        guard self.hello != nil else { return self.answer(SMTPServerReplies.sayHelloFirst) }
        guard !hasMoreInput else { return self.close(SMTPServerReplies.spokeTooSoon) }
        self.state = .handshaking
        self.resetTransaction()
        return .startTLS(SMTPServerReplies.startTLS)
    }

    private mutating func mail(_ path: ReversePath, _ parameters: [SMTPCommand.Parameter]) -> SMTPServerAction {
        guard let hello = self.hello else { return self.answer(SMTPServerReplies.sayHelloFirst) }
        guard self.envelope == nil else { return self.answer(SMTPServerReplies.badSequence) }
        var envelope = Envelope(reversePath: path, hello: hello)
        for parameter in parameters {
            if let refusal = self.apply(parameter, to: &envelope) { return self.answer(refusal) }
        }
        self.envelope = envelope
        return .reply(SMTPServerReplies.senderOK)
    }

    /// Applies one parameter of MAIL; gives back the refusal where it cannot.
    private func apply(_ parameter: SMTPCommand.Parameter, to envelope: inout Envelope) -> SMTPReply? {
        switch (parameter.keyword, parameter.value) {
        case ("SIZE", let value?):
            // RFC 1870 §6.1: one to twenty digits. More than Int holds is simply too large.
            let digits = value.utf8
            guard (1...20).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return SMTPServerReplies.badArgument
            }
            guard let size = Int(value), size <= self.configuration.limits.messageBytes else {
                return SMTPServerReplies.tooLarge
            }
            envelope.declaredSize = size
        case ("BODY", let value?):
            guard let body = Envelope.BodyType(rawValue: value.uppercased()) else {
                return SMTPServerReplies.badArgument
            }
            envelope.body = body
        case ("SIZE", nil), ("BODY", nil):
            return SMTPServerReplies.badArgument
        default:
            // AUTH, RET, ENVID, SMTPUTF8 and REQUIRETLS are not supported yet; they are read here.
            return SMTPServerReplies.unknownParameter
        }
        return nil
    }

    private mutating func recipient(_ path: ForwardPath, _ parameters: [SMTPCommand.Parameter]) -> SMTPServerAction {
        guard let envelope else { return self.answer(SMTPServerReplies.badSequence) }
        // NOTIFY and ORCPT are read here when RFC 3461 comes.
        guard parameters.isEmpty else { return self.answer(SMTPServerReplies.unknownParameter) }
        guard envelope.recipients.count < self.configuration.limits.recipients else {
            return .reply(SMTPServerReplies.tooManyRecipients)
        }
        self.state = .decidingRecipient(path)
        return .decideRecipient(path, envelope)
    }

    private mutating func data(hasMoreInput: Bool) -> SMTPServerAction {
        // DATA is the last of a pipelined group (RFC 2920 §3.1): what follows it unasked could be content or commands.
        guard !hasMoreInput else { return self.close(SMTPServerReplies.spokeTooSoon) }
        guard let envelope else { return self.answer(SMTPServerReplies.badSequence) }
        guard !envelope.recipients.isEmpty else { return self.answer(SMTPServerReplies.noRecipients) }
        let limits = self.configuration.limits
        self.state = .receiving(
            SMTPDataDecoder(lineLimit: limits.textLineBytes, sizeLimit: limits.messageBytes), refusal: nil)
        return .beginData(envelope, SMTPServerReplies.goAhead)
    }

    /// A command that brings no mail nearer: done while the client stays within its number of them.
    mutating func idle(
        _ reply: SMTPReply, _ effect: (inout SMTPServerSession) -> Void = { _ in }
    ) -> SMTPServerAction {
        self.idleCount += 1
        guard self.idleCount < self.configuration.limits.idleCommands else {
            return self.close(SMTPServerReplies.tooManyIdleCommands)
        }
        effect(&self)
        return .reply(reply)
    }
}
