internal import MailModel

// How a message's envelope is said to a server of these capabilities. A parameter is given only where it was offered.

extension SMTPClientMessage {
    /// Whether only a host with SMTPUTF8 can take it (RFC 6531 §3.4), apart from recipients that others can be spared.
    var needsSMTPUTF8: Bool {
        self.hasInternationalHeader || self.reversePath.isInternational
            || self.recipients.contains { $0.path.isInternational }
    }

    /// What this host cannot be given, by recipient, decided without asking it; `nil` for those it can.
    func localRefusals(for capabilities: SMTPServerCapabilities) -> [SMTPRecipientOutcome?] {
        let refusal = self.localRefusal(for: capabilities).map { SMTPRecipientOutcome.refused($0) }
        return self.recipients.map { recipient in
            if refusal == nil, !capabilities.smtpUTF8, recipient.path.isInternational {
                return .refused(Self.notInternational(553, "this recipient's address"))
            }
            return refusal
        }
    }

    private func localRefusal(for capabilities: SMTPServerCapabilities) -> SMTPReply? {
        if !capabilities.smtpUTF8 {
            if self.reversePath.isInternational { return Self.notInternational(550, "the sender's address") }
            if self.hasInternationalHeader { return Self.notInternational(550, "this header") }
        }
        if self.body == .eightBitMIME, !capabilities.eightBitMIME {
            // To re-encode it (RFC 6152 §3) would break signatures; 8-bit text is never sent where it was not offered.
            let status = EnhancedStatusCode(.permanentFailure, 6, 3)
            return SMTPReply(554, status, "The next host does not take 8-bit text")
        }
        if let limit = capabilities.maximumSize, self.size > limit {
            let status = EnhancedStatusCode(.permanentFailure, 3, 4)
            return SMTPReply(552, status, "The next host takes at most \(limit) bytes")
        }
        return nil
    }

    /// UTF-8 is never sent where it was not offered, and no address is ever rewritten (RFC 6531 §3.5).
    static func notInternational(_ code: UInt16, _ what: String) -> SMTPReply {
        SMTPReply(
            code, EnhancedStatusCode(.permanentFailure, 6, 7),
            "The next host does not offer SMTPUTF8, which \(what) needs")
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
    /// The recipient itself, where the sender wants to hear of it and did not say under which name: whoever reports must
    /// name it so, even if it is rewritten further on (§5.2.1 d).
    fileprivate var impliedOriginal: OriginalRecipient? {
        guard let notify = self.notify, notify != .never, let mailbox = self.path.mailbox else { return nil }
        guard mailbox.isInternational else { return OriginalRecipient("rfc822;\(XText.encode("\(mailbox)"))") }
        // In ASCII, and with nothing left for xtext to encode, so that it passes hosts of any kind.
        return OriginalRecipient("utf-8;\(EmbeddedUnicode.escape("\(mailbox)"))")
    }
}
