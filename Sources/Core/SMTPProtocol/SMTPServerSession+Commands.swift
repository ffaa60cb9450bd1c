internal import MailModel

extension SMTPServerSession {
    mutating func receiveCommand(_ input: Span<UInt8>, _ content: inout [UInt8]) -> SMTPServerStep {
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
            let action = self.run(line, hasMoreInput: consumed < input.count)
            // What follows BDAT is its chunk, and belongs to the same step unless the owner has to know of it first.
            guard case .receivingChunk(let chunk) = self.state, action == .needInput else {
                return SMTPServerStep(consumed, action)
            }
            let step = self.receiveChunk(input.extracting(droppingFirst: consumed), chunk, &content)
            return SMTPServerStep(consumed + step.consumed, step.action)
        }
    }

    private mutating func run(_ line: [UInt8], hasMoreInput: Bool) -> SMTPServerAction {
        let isFirst = !self.sawCommand
        self.sawCommand = true
        switch SMTPCommand.parse(line, self.configuration.domainConversion) {
        case .failure(.unknown) where isFirst:
            // Whoever opens with HTTP or TLS will not turn to SMTP, and may be made to carry commands in its body.
            return self.close(SMTPServerReplies.notSMTP)
        case .failure(.badChunk):
            // Nobody can tell where the chunk ends that may follow, so nothing after it can be taken for a command.
            return self.close(SMTPServerReplies.badChunk)
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
        case .recipient(let path, let parameters, let isInternational):
            self.recipient(path, parameters, isInternational: isInternational)
        case .data: self.data(hasMoreInput: hasMoreInput)
        case .chunk(let size, let isLast): self.chunk(size: size, isLast: isLast)
        case .reset: self.abandon(self.idle(SMTPServerReplies.ok))
        case .noop: self.idle(SMTPServerReplies.ok)
        case .verify: self.idle(SMTPServerReplies.cannotVerify)
        case .help: self.idle(SMTPServerReplies.help)
        case .quit: self.close(SMTPServerReplies.bye)
        }
    }

    private static func reply(to fault: SMTPCommand.Fault) -> SMTPReply {
        switch fault {
        case .notImplemented: SMTPServerReplies.notImplemented
        case .unknown: SMTPServerReplies.unknownCommand
        case .badArgument, .badChunk: SMTPServerReplies.badArgument
        case .internationalAddress: SMTPServerReplies.internationalAddress
        case .badSender(let address): SMTPServerReplies.badAddress(address, detail: 7)
        case .badRecipient(let address): SMTPServerReplies.badAddress(address, detail: 3)
        }
    }

    // MARK: - Commands

    private mutating func introduce(_ hello: Envelope.Hello) -> SMTPServerAction {
        let reply = SMTPReply(250, nil, lines: hello.isExtended ? self.extensions : ["\(self.configuration.hostName)"])
        // EHLO is a RSET too (RFC 5321 §4.1.4).
        let action = self.abandon(self.idle(reply))
        self.hello = hello
        return action
    }

    /// The reply to EHLO (RFC 5321 §4.1.1.1): what is in this list works, and nothing else does.
    private var extensions: [String] {
        let limits = self.configuration.limits
        var lines = ["\(self.configuration.hostName)", "PIPELINING", "SIZE \(limits.messageBytes)"]
        if self.configuration.offersSTARTTLS, self.tls == nil { lines.append("STARTTLS") }
        let offersAuthentication = self.configuration.offersAuthentication && self.tls != nil
        if offersAuthentication {
            lines.append("AUTH " + SASLExchange.Mechanism.allCases.map(\.rawValue).joined(separator: " "))
        }
        lines += ["8BITMIME", "SMTPUTF8", "CHUNKING"]
        if self.offersDSN || offersAuthentication { lines.append("DSN") }
        return lines + [
            "LIMITS RCPTMAX=\(limits.recipients) MAILMAX=\(limits.messages)", "ENHANCEDSTATUSCODES", "HELP",
        ]
    }

    /// RFC 3207. Bytes behind the command came in clear and may be anybody's: they are not run, and nothing is begun.
    private mutating func startTLS(hasMoreInput: Bool) -> SMTPServerAction {
        if self.tls != nil { return self.answer(SMTPServerReplies.tlsAlready) }
        guard self.configuration.offersSTARTTLS else { return self.answer(SMTPServerReplies.notImplemented) }
        guard self.hello != nil else { return self.answer(SMTPServerReplies.sayHelloFirst) }
        guard !hasMoreInput else { return self.close(SMTPServerReplies.spokeTooSoon) }
        guard !self.hasContent else { return self.answer(SMTPServerReplies.badSequence) }
        self.state = .handshaking
        self.resetTransaction()
        return .startTLS(SMTPServerReplies.startTLS)
    }
}
