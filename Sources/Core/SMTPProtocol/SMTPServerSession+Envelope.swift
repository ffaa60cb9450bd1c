internal import MailModel

/// MAIL and RCPT (RFC 5321 §4.1.1.2 and §4.1.1.3).
extension SMTPServerSession {
    mutating func mail(_ path: ReversePath, _ parameters: [SMTPCommand.Parameter]) -> SMTPServerAction {
        guard let hello = self.hello else { return self.answer(SMTPServerReplies.sayHelloFirst) }
        guard self.transaction == nil else { return self.answer(SMTPServerReplies.badSequence) }
        // The limit that LIMITS announces: each MAIL counts, whatever becomes of it (RFC 9422, MAILMAX).
        self.mailCount += 1
        guard self.mailCount <= self.configuration.limits.messages else {
            return self.close(SMTPServerReplies.tooManyMessages)
        }
        var envelope = Envelope(reversePath: path, hello: hello)
        for parameter in parameters {
            if let refusal = self.apply(parameter, to: &envelope) { return self.answer(refusal) }
        }
        self.transaction = SMTPServerTransaction(envelope)
        return .reply(SMTPServerReplies.senderOK)
    }

    mutating func recipient(
        _ path: ForwardPath, _ parameters: [SMTPCommand.Parameter], isInternational: Bool
    ) -> SMTPServerAction {
        guard let transaction, transaction.content == nil else { return self.answer(SMTPServerReplies.badSequence) }
        let envelope = transaction.envelope
        guard envelope.isInternational || !isInternational else {
            return self.answer(SMTPServerReplies.internationalAddress)
        }
        var recipient = EnvelopeRecipient(path)
        for parameter in parameters {
            if let refusal = self.apply(parameter, to: &recipient) { return self.answer(refusal) }
        }
        guard envelope.recipients.count < self.configuration.limits.recipients else {
            return self.putOff(SMTPServerReplies.tooManyRecipients)
        }
        self.state = .decidingRecipient(recipient)
        return .decideRecipient(path, envelope)
    }

    /// Answers `.decideRecipient`.
    public mutating func recipientDecided(_ decision: SMTPRecipientDecision) -> SMTPServerAction {
        guard case .decidingRecipient(let recipient) = self.state else { return .waitForOwner }
        self.state = .commands
        switch decision {
        case .accept:
            self.transaction?.envelope.recipients.append(recipient)
            return .reply(SMTPServerReplies.recipientOK)
        case .refuse(let reply):
            return reply.isTransient && reply.code != 421 ? self.putOff(reply) : self.answer(reply)
        }
    }

    /// Answers RCPT with 4yz. A client may come with twice as many recipients as a message can have, and is told of
    /// each that it must come again. Beyond that each is an error.
    private mutating func putOff(_ reply: SMTPReply) -> SMTPServerAction {
        self.recipientsPutOff += 1
        guard self.recipientsPutOff > self.configuration.limits.recipients else { return .reply(reply) }
        return self.countError(reply)
    }

    // MARK: - Parameters

    /// Applies one parameter of MAIL; gives back the refusal where it cannot.
    private func apply(_ parameter: SMTPCommand.Parameter, to envelope: inout Envelope) -> SMTPReply? {
        switch (parameter.keyword, parameter.value) {
        case ("SIZE", let value?):
            return self.applySize(value, to: &envelope)
        case ("BODY", let value?):
            // BINARYMIME (RFC 3030 §3) is not offered.
            guard let body = Envelope.BodyType(rawValue: value.uppercased()) else { return Self.badArgument }
            envelope.body = body
        case ("SMTPUTF8", nil):
            envelope.isInternational = true
        case ("RET", let value?):
            guard let content = ReturnContent(rawValue: value.uppercased()) else { return Self.badArgument }
            envelope.returnContent = content
        case ("ENVID", let value?):
            guard value.utf8.count <= Envelope.maximumIDLength, let id = XText.decode(value) else {
                return Self.badArgument
            }
            envelope.envelopeID = id
        case ("AUTH", let value?) where self.configuration.offersAuthentication:
            // Who submitted it first, says the client (RFC 4954 §5). Nobody here would believe it.
            return XText.decode(value) == nil ? Self.badArgument : nil
        case ("SIZE", nil), ("BODY", nil), ("RET", nil), ("ENVID", nil), ("SMTPUTF8", _?):
            return Self.badArgument
        case ("AUTH", nil) where self.configuration.offersAuthentication:
            return Self.badArgument
        default:
            // REQUIRETLS (RFC 8689) is not supported yet; it is read here.
            return SMTPServerReplies.unknownParameter
        }
        return nil
    }

    /// RFC 1870 §6.1: one to twenty digits. More than Int holds is simply too large.
    private func applySize(_ value: String, to envelope: inout Envelope) -> SMTPReply? {
        let digits = value.utf8
        guard (1...20).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return Self.badArgument
        }
        guard let size = Int(value), size <= self.configuration.limits.messageBytes else {
            return SMTPServerReplies.tooLarge
        }
        envelope.declaredSize = size
        return nil
    }

    /// Applies one parameter of RCPT (RFC 3461 §4.1, §4.2).
    private func apply(_ parameter: SMTPCommand.Parameter, to recipient: inout EnvelopeRecipient) -> SMTPReply? {
        switch (parameter.keyword, parameter.value) {
        case ("NOTIFY", let value?):
            guard let conditions = NotifyConditions(value) else { return Self.badArgument }
            recipient.notify = conditions
        case ("ORCPT", let value?):
            // UTF-8 as it is takes SMTPUTF8 (RFC 6533 §3).
            let isAllowed = value.utf8.allSatisfy { $0 < 0x80 } || self.envelope?.isInternational == true
            guard isAllowed, let original = OriginalRecipient(value) else { return Self.badArgument }
            recipient.originalRecipient = original
        case ("NOTIFY", nil), ("ORCPT", nil):
            return Self.badArgument
        default:
            return SMTPServerReplies.unknownParameter
        }
        return nil
    }

    private static var badArgument: SMTPReply { SMTPServerReplies.badArgument }
}
