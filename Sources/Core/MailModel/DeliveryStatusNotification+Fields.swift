extension DeliveryStatusNotification {
    /// The part for programs: fields of the message, then those of each recipient behind an empty line (RFC 3464 §2).
    var fields: [String] {
        let envelopeID = self.original.envelopeID.map { SafeText.escapeNonASCII($0.utf8) }
        var lines = envelopeID.map { [self.field("Original-Envelope-Id", $0)] } ?? []
        lines += ["Reporting-MTA: dns; \(self.reportingMTA)", "Arrival-Date: \(self.original.arrival.headerDate)"]
        // A field of our own (§2.4): a recipient without an address has no fields of a recipient.
        if self.unlistedRecipients > 0 { lines.append("X-Relay-Unlisted-Recipients: \(self.unlistedRecipients)") }
        for recipient in self.recipients { lines += [""] + self.fields(of: recipient) }
        return lines
    }

    private func fields(of recipient: Recipient) -> [String] {
        var lines = recipient.originalRecipient.map { [self.field("Original-Recipient", self.text(of: $0))] } ?? []
        let type = recipient.finalRecipient.isInternational ? "utf-8" : "rfc822"
        lines += [
            self.field("Final-Recipient", "\(type); \(self.text(of: recipient.finalRecipient))"),
            "Action: \(self.action.rawValue)", "Status: \(recipient.status)",
        ]
        if let host = recipient.reportingHost { lines.append("Remote-MTA: dns; \(host)") }
        lines.append(self.field("Diagnostic-Code", recipient.diagnosticCode))
        lines.append("Last-Attempt-Date: \(self.date.headerDate)")
        if let end = recipient.willRetryUntil { lines.append("Will-Retry-Until: \(end.headerDate)") }
        return lines
    }

    /// An address as the report may write it: in Unicode, or with `\x{...}` for what is beyond ASCII (RFC 6533 §3).
    func text(of mailbox: Mailbox) -> String {
        mailbox.isInternational && !self.isInternational ? EmbeddedUnicode.escape("\(mailbox)") : "\(mailbox)"
    }

    private func text(of original: OriginalRecipient) -> String {
        let isUnicode = original.addressType == "utf-8" && self.isInternational
        let address = isUnicode ? EmbeddedUnicode.unescape(original.address) : original.address
        return "\(original.addressType); \(address)"
    }

    /// One field, folded where it would be too long a line.
    private func field(_ name: String, _ value: String) -> String {
        SafeText.wrap("\(name): \(value)", width: Self.maximumLine).joined(separator: "\r\n ")
    }
}

extension DeliveryStatusNotification.Recipient {
    /// The remote MTA is the one that reported a status (RFC 3464 §2.3.5): a host that said nothing is none.
    fileprivate var reportingHost: Mailbox.Domain? {
        if case .reply = self.diagnostic { self.remoteMTA } else { nil }
    }

    /// Only what a host said is a diagnostic of SMTP (RFC 3464 §2.3.6); a type of our own begins with `x-` (§2.1.2).
    fileprivate var diagnosticCode: String {
        switch self.diagnostic {
        case .reply: "smtp; \(self.safeDiagnostic)"
        case .finding: "x-relay; \(self.status) \(self.safeDiagnostic)"
        }
    }

    /// On one line of printable ASCII, at most `maximumDiagnostic` bytes of it.
    var safeDiagnostic: String {
        let limit = DeliveryStatusNotification.maximumDiagnostic
        return switch self.diagnostic {
        case .reply(let text), .finding(let text):
            String(SafeText.escapeNonASCII(text.utf8.prefix(limit)).prefix(limit))
        }
    }
}
