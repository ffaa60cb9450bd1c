internal import MailModel

// How a message's envelope is said to a server of these capabilities. A parameter is given only where it was offered.

extension SMTPClientMessage {
    /// Whether only a host with SMTPUTF8 can take it (RFC 6531 §3.4), apart from recipients that others can be spared.
    var needsSMTPUTF8: Bool {
        self.hasInternationalHeader || self.reversePath.isInternational
            || self.recipients.contains { $0.path.isInternational }
    }

    /// What this host cannot be given, by recipient, found without asking it; `nil` for those it can.
    func limitations(of capabilities: SMTPServerCapabilities) -> [HostLimitation?] {
        let ofMessage = self.limitation(of: capabilities)
        return self.recipients.map { recipient in
            ofMessage ?? (capabilities.smtpUTF8 ? nil : HostLimitation(noSMTPUTF8For: recipient.path))
        }
    }

    private func limitation(of capabilities: SMTPServerCapabilities) -> HostLimitation? {
        if !capabilities.smtpUTF8 {
            if self.reversePath.isInternational { return .noSMTPUTF8(neededBy: .sender) }
            if self.hasInternationalHeader { return .noSMTPUTF8(neededBy: .header) }
        }
        // 8-bit text is never sent where it was not offered. Whether it becomes 7-bit was decided before (RFC 6152 §3).
        if self.needsConversion(for: capabilities) {
            return self.conversionRefusal.map { .unconvertible($0) } ?? .noEightBitMIME
        }
        if let limit = capabilities.maximumSize, self.size > limit { return .maximumSize(limit) }
        return nil
    }

    /// MAIL FROM with its parameters.
    func mailCommand(for capabilities: SMTPServerCapabilities) -> String {
        var command = "MAIL FROM:\(self.reversePath)"
        if capabilities.size { command += " SIZE=\(self.size)" }
        if self.body == .eightBitMIME { command += " BODY=8BITMIME" }
        if capabilities.smtpUTF8, self.needsSMTPUTF8 { command += " SMTPUTF8" }
        guard capabilities.dsn else { return command }
        if let returnContent = self.returnContent { command += " RET=\(returnContent.rawValue)" }
        if let envelopeID = self.envelopeID { command += " ENVID=\(XText.encode(envelopeID))" }
        return command
    }

    /// RCPT TO with its parameters, as they came (RFC 3461 §5.2.1).
    func recipientCommand(_ index: Int, for capabilities: SMTPServerCapabilities) -> String {
        let recipient = self.recipients[index]
        var command = "RCPT TO:\(recipient.path)"
        guard capabilities.dsn else { return command }
        if let notify = recipient.notify { command += " NOTIFY=\(notify)" }
        if let original = recipient.originalRecipient ?? recipient.impliedOriginal { command += " ORCPT=\(original)" }
        return command
    }
}

extension EnvelopeRecipient {
    /// The recipient itself, where the sender wants to hear of it and did not say under which name. Whoever reports
    /// must name it so, even if it is rewritten further on (§5.2.1 d).
    fileprivate var impliedOriginal: OriginalRecipient? {
        guard let notify = self.notify, notify != .never, let mailbox = self.path.mailbox else { return nil }
        guard mailbox.isInternational else { return OriginalRecipient("rfc822;\(XText.encode("\(mailbox)"))") }
        // In ASCII, and with nothing left for xtext to encode, so that it passes hosts of any kind.
        return OriginalRecipient("utf-8;\(EmbeddedUnicode.escape("\(mailbox)"))")
    }
}

extension HostLimitation {
    /// The recipient is one whom a host without SMTPUTF8 cannot be told.
    init?(noSMTPUTF8For recipient: ForwardPath) {
        guard recipient.isInternational else { return nil }
        self = .noSMTPUTF8(neededBy: .recipient)
    }
}
