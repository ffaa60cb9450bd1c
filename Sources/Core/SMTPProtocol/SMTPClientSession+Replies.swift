internal import MailModel

extension SMTPClientSession {
    mutating func received(_ reply: RemoteReply, hasMoreInput: Bool) -> SMTPClientAction {
        switch self.state {
        case .greeting:
            return self.greeted(reply, hasMoreInput: hasMoreInput)
        case .hello(let isExtended):
            return self.helloAnswered(reply, isExtended: isExtended)
        case .startTLS:
            return self.startTLSAnswered(reply, hasMoreInput: hasMoreInput)
        case .ready:
            // Nothing was asked. A server that goes away says so; no message is harmed, for none is under way.
            return self.fail(reply.code == 421 ? .serviceClosing(reply, at: .ready) : .protocolError(.ready))
        case .transaction:
            return self.transactionAnswered(reply)
        case .verification(let verification):
            return self.verificationAnswered(reply, verification)
        case .quit:
            self.state = .finished
            return .closed
        case .handshake, .withoutTLS, .finished:
            return self.fail(.protocolError(self.stage))
        }
    }

    private mutating func greeted(_ reply: RemoteReply, hasMoreInput: Bool) -> SMTPClientAction {
        if reply.isTransient || reply.isPermanent { return self.fail(.greetingRefused(reply)) }
        // Replies to what was not asked yet would be taken for answers to what is asked next.
        guard reply.code == 220, !hasMoreInput else { return self.fail(.protocolError(.greeting)) }
        return self.sendHello(isExtended: true)
    }

    mutating func sendHello(isExtended: Bool) -> SMTPClientAction {
        self.state = .hello(isExtended: isExtended)
        return .send(Array("\(isExtended ? "EHLO" : "HELO") \(self.helloName)\r\n".utf8))
    }

    private mutating func helloAnswered(_ reply: RemoteReply, isExtended: Bool) -> SMTPClientAction {
        switch reply.severity {
        case .positiveCompletion:
            self.capabilities = isExtended ? SMTPServerCapabilities(ehlo: reply) : SMTPServerCapabilities()
            if !self.usesChunking { self.capabilities.chunking = false }
            return self.chooseTLS()
        case .permanentNegative where isExtended && self.tls == nil:
            // Said in clear, so anybody may have said it: the host offers no TLS that can be had now, and no more.
            if self.asksForTLS { return self.askWithoutTLS(reply) }
            // A host from before extensions (§3.2).
            return self.sendHello(isExtended: false)
        case .transientNegative, .permanentNegative:
            return self.fail(reply.code == 421 ? .serviceClosing(reply, at: .hello) : .helloRefused(reply))
        case .positiveIntermediate:
            return self.fail(.protocolError(.hello))
        }
    }

    private mutating func chooseTLS() -> SMTPClientAction {
        guard self.tls == nil, self.asksForTLS else { return self.becomeReady() }
        guard self.capabilities.startTLS else { return self.askWithoutTLS(nil) }
        self.state = .startTLS
        return .send(Array("STARTTLS\r\n".utf8))
    }

    /// What TLS is owed is for the owner to know.
    private mutating func askWithoutTLS(_ reply: RemoteReply?) -> SMTPClientAction {
        self.state = .withoutTLS(reply, at: self.stage)
        return .startTLSUnavailable(reply)
    }

    mutating func becomeReady() -> SMTPClientAction {
        self.state = .ready
        return .ready(self.capabilities)
    }

    private mutating func startTLSAnswered(_ reply: RemoteReply, hasMoreInput: Bool) -> SMTPClientAction {
        if reply.code == 220 {
            // Plaintext behind the 220 may be injected; it must not cross into TLS.
            guard !hasMoreInput else { return self.fail(.bytesBehindSTARTTLS) }
            self.state = .handshake
            return .startTLS
        }
        guard reply.isTransient || reply.isPermanent else { return self.fail(.protocolError(.startTLS)) }
        return self.askWithoutTLS(reply)
    }

    private mutating func transactionAnswered(_ reply: RemoteReply) -> SMTPClientAction {
        guard case .transaction(var transaction) = self.state else { return self.fail(.protocolError(self.stage)) }
        let stage = transaction.stage
        // Two owners of the outcomes would copy them with each reply.
        self.state = .finished
        let event = transaction.received(reply)
        self.state = .transaction(transaction)
        switch event {
        case .needInput: return .needInput
        case .send(let bytes): return .send(bytes)
        case .transferContent: return .transferContent
        case .protocolError: return self.fail(.protocolError(stage))
        case .serviceClosing: return self.fail(.serviceClosing(reply, at: stage))
        case .chunkingRefused: return self.fail(.chunkingRefused(reply))
        case .done(let outcomes):
            self.lastOutcomes = outcomes
            self.needsReset = transaction.leavesServerMidway
            let isOver = transaction.leavesServerMidContent || transaction.isServerClosing
            self.state = isOver ? .finished : .ready
            return .messageDone(outcomes)
        }
    }

    private mutating func verificationAnswered(
        _ reply: RemoteReply, _ verification: SMTPClientVerification
    ) -> SMTPClientAction {
        var verification = verification
        let stage = verification.stage
        let event = verification.received(reply)
        self.state = .verification(verification)
        switch event {
        case .send(let bytes): return .send(bytes)
        case .protocolError: return self.fail(.protocolError(stage))
        case .serviceClosing: return self.fail(.serviceClosing(reply, at: stage))
        case .done(let outcome): return self.verified(outcome, leavesServerMidway: true)
        case .senderRefused(let reply):
            return self.verified(.failed(DeliveryFailure(reply).madeTransient), leavesServerMidway: false)
        }
    }

    private mutating func verified(_ outcome: AttemptOutcome, leavesServerMidway: Bool) -> SMTPClientAction {
        self.lastOutcomes = [outcome]
        self.needsReset = leavesServerMidway
        self.state = .ready
        return .messageDone([outcome])
    }
}
