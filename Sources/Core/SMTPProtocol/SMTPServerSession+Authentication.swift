internal import MailModel

/// AUTH (RFC 4954), as far as the session goes: it reads credentials, and its owner judges them.
extension SMTPServerSession {
    /// An exchange that waits for the client's next line.
    struct Authentication: Hashable {
        var exchange: SASLExchange
        /// Its lines may be longer than commands.
        var lines: SMTPCommandDecoder
    }

    mutating func authenticate(_ mechanism: String, _ initialResponse: ArraySlice<UInt8>?) -> SMTPServerAction {
        guard self.configuration.offersAuthentication else { return self.answer(SMTPServerReplies.notImplemented) }
        guard let hello, hello.isExtended else { return self.answer(SMTPServerReplies.sayHelloFirst) }
        guard self.authenticatedIdentity == nil else { return self.answer(SMTPServerReplies.authenticatedAlready) }
        guard self.transaction == nil else { return self.answer(SMTPServerReplies.badSequence) }
        guard let mechanism = SASLExchange.Mechanism(rawValue: mechanism) else {
            return self.answer(SMTPServerReplies.unknownMechanism)
        }
        // Both mechanisms show the password to whoever listens. What came with the command has been shown already.
        guard self.tls != nil else { return self.answer(SMTPServerReplies.encryptionRequired) }
        var exchange = SASLExchange(mechanism)
        guard let initialResponse else { return self.ask(exchange) }
        let outcome = exchange.receivedInitial(initialResponse)
        return self.go(on: exchange, after: outcome)
    }

    /// Reads the next line of an exchange.
    mutating func receiveResponse(_ input: Span<UInt8>, _ authentication: Authentication) -> SMTPServerStep {
        var authentication = authentication
        let (consumed, result) = authentication.lines.decode(input)
        switch result {
        case .needInput:
            self.state = .authenticating(authentication)
            return SMTPServerStep(consumed, .needInput)
        case .malformed:
            return SMTPServerStep(consumed, self.close(SMTPServerReplies.malformedLine))
        case .endless:
            return SMTPServerStep(consumed, self.close(SMTPServerReplies.lineTooLong))
        case .lineTooLong:
            self.state = .commands
            return SMTPServerStep(consumed, self.answer(SMTPServerReplies.lineTooLong))
        case .line(let line):
            let outcome = authentication.exchange.received(line[...])
            return SMTPServerStep(consumed, self.go(on: authentication.exchange, after: outcome))
        }
    }

    /// Answers `.authenticate`.
    public mutating func authenticationDecided(_ decision: SASLDecision) -> SMTPServerAction {
        guard self.state == .decidingCredentials else { return .waitForOwner }
        self.state = .commands
        switch decision {
        case .accepted(let identity):
            self.authenticatedIdentity = identity
            return .reply(SMTPServerReplies.authenticated)
        case .unavailable:
            // The client is not to blame, and yet may not ask for ever.
            return self.idle(SMTPServerReplies.authenticationUnavailable)
        case .refused:
            self.authenticationFailures += 1
            guard self.authenticationFailures < self.configuration.limits.authenticationFailures else {
                return self.close(SMTPServerReplies.tooManyAuthenticationFailures)
            }
            return self.answer(SMTPServerReplies.badCredentials)
        }
    }

    private mutating func go(on exchange: SASLExchange, after outcome: SASLExchange.Outcome) -> SMTPServerAction {
        self.state = .commands
        switch outcome {
        case .more: return self.ask(exchange)
        case .malformed: return self.answer(SMTPServerReplies.badResponse)
        case .cancelled: return self.answer(SMTPServerReplies.authenticationCancelled)
        case .credentials(let credentials):
            self.state = .decidingCredentials
            return .authenticate(credentials)
        }
    }

    private mutating func ask(_ exchange: SASLExchange) -> SMTPServerAction {
        let limits = self.configuration.limits
        let lines = SMTPCommandDecoder(
            lineLimit: limits.authenticationLineBytes, discardLimit: limits.discardedLineBytes)
        self.state = .authenticating(Authentication(exchange: exchange, lines: lines))
        return .reply(SMTPReply(334, nil, exchange.challenge))
    }
}
