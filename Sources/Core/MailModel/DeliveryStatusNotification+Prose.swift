extension DeliveryStatusNotification {
    var subject: String {
        switch self.action {
        case .failed: "Undelivered: your message could not be delivered"
        case .delayed: "Delayed: your message has not been delivered yet"
        case .relayed: "Relayed: your message was handed on"
        }
    }

    /// The part for people.
    var prose: [String] {
        var lines = ["This is the mail system at \(self.reportingMTA).", ""] + self.opening
        lines += ["", "The message came here on \(self.original.arrival.headerDate)."]
        for recipient in self.recipients {
            lines += [""] + SafeText.wrap(self.text(of: recipient.finalRecipient), width: Self.maximumLine)
            for sentence in self.sentences(on: recipient) {
                lines += SafeText.wrap(sentence, width: Self.width - 4).map { "    \($0)" }
            }
        }
        if self.unlistedRecipients > 0 {
            let count = self.unlistedRecipients
            lines += [
                "", "The same is true of \(count) more \(count == 1 ? "recipient" : "recipients") of the message.",
            ]
        }
        return lines
    }

    private var opening: [String] {
        switch self.action {
        case .failed:
            [
                "Your message could not be delivered to the recipients below, and is not tried",
                "again. The reason stands with each of them.",
            ]
        case .delayed:
            [
                "Your message has not been delivered to the recipients below yet. It is still",
                "being tried, so there is no need to send it again.",
            ]
        case .relayed:
            [
                "Your message was handed to the mail systems of the recipients below. They make",
                "no reports of delivery, so you may hear no more of it unless it fails there.",
            ]
        }
    }

    private func sentences(on recipient: Recipient) -> [String] {
        var sentences: [String] = []
        if self.action != .relayed {
            if let meaning = recipient.meaning { sentences.append(meaning) }
            if let end = recipient.willRetryUntil { sentences.append("It will be tried until \(end.headerDate).") }
            if recipient.isExpired { sentences.append("It was tried until it expired; this is why it failed last.") }
        }
        sentences.append(recipient.quotation)
        if self.action != .relayed, recipient.status.isMatterOfTransportSecurity {
            let domain = recipient.finalRecipient.domain
            sentences.append("If the address is right, please give this code to the administrators of \(domain).")
        }
        return sentences
    }
}

extension DeliveryStatusNotification.Recipient {
    /// Code, host and words, such as `Code 5.1.1, host mx.example.org: 550 5.1.1 No such user`.
    fileprivate var quotation: String {
        let host = self.remoteMTA.map { ", host \($0)" } ?? ""
        return "Code \(self.status)\(host): \(self.safeDiagnostic)"
    }

    /// What happened, to somebody who sent a message. Where nobody said anything, it was not the other side that refused.
    fileprivate var meaning: String? {
        switch (self.diagnostic, self.status.subject, self.status.detail) {
        case (.finding, 4, 0): "This mail system could not open a connection to the other side."
        case (.finding, 3, 2): "An operator of this mail system has suspended deliveries to the domain of the address."
        case (.finding, 7, 0): "An operator of this mail system gave the message up."
        default: self.status.meaning
        }
    }
}

extension EnhancedStatusCode {
    /// The four codes of DANE and DNSSEC that operators know from Exchange Online.
    fileprivate var isMatterOfTransportSecurity: Bool { self.subject == 7 && (321...324).contains(self.detail) }

    /// What the condition means to somebody who sent a message (RFC 3463 §3; from 300 on as Exchange Online counts).
    fileprivate var meaning: String? {
        switch (self.subject, self.detail) {
        case (1, 1): "The address does not exist."
        case (1, 2): "The domain of the address does not exist."
        case (1, 6): "The recipient has moved and left no new address."
        case (1, 10): "The domain of the address accepts no mail."
        case (1, _): "The address is not one that the other side can use."
        case (2, 1): "The recipient's mailbox is out of use."
        case (2, 2): "The recipient's mailbox is full."
        case (2, 3): "The message is larger than the recipient's mailbox accepts."
        case (2, _): "The recipient's mailbox did not accept the message."
        case (3, 4): "The message is larger than the other side accepts."
        case (3, _): "The mail system of the other side cannot take the message."
        case (4, 1): "The mail server of the other side does not answer."
        case (4, 2): "The connection to the mail server of the other side was lost."
        case (4, 6): "The message would have come back here, round and round."
        case (4, 312): "The DNS does not answer for the domain of the address."
        case (4, _): "No way to the mail server of the other side was found."
        case (5, _): "The two mail systems did not understand each other."
        case (6, 7): "The other side does not support the international characters of this message or an address."
        case (6, _): "The other side cannot take content of this kind."
        case (7, 321): "The mail server of the other side owes encryption (TLS) and does not offer it."
        case (7, 322): "The certificate of the other side's mail server has expired."
        case (7, 323): "The mail server that answered could not prove that it is the right one."
        case (7, 324): "What the DNS says about the other side is not validly signed."
        case (7, _): "The other side refused the message by its rules."
        default: nil
        }
    }
}
