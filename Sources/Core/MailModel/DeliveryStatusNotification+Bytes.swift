extension DeliveryStatusNotification {
    /// The longest line in the report, well under the 998 bytes of RFC 5322 §2.1.1.
    private static let width = 76

    /// The most bytes of the original header that are returned; the rest is cut at a line end.
    public static let maximumReturnedHeader = 64 * 1024

    /// The most bytes of one diagnostic that are quoted.
    public static let maximumDiagnostic = 2048

    /// The whole report: printable ASCII in CRLF lines.
    ///
    /// `boundary` must not begin a line of the original; a caller makes it of random letters and digits.
    public func bytes(boundary: String) -> [UInt8] {
        var lines = self.header(boundary: boundary)
        lines += ["", "--\(boundary)", "Content-Type: text/plain; charset=us-ascii", ""] + self.humanPart
        lines += ["", "--\(boundary)", "Content-Type: message/delivery-status", ""] + self.statusPart
        lines += ["", "--\(boundary)", "Content-Type: text/rfc822-headers; charset=us-ascii", ""] + self.returnedHeader
        lines += ["", "--\(boundary)--"]
        return lines.flatMap { Array("\($0)\r\n".utf8) }
    }

    private func header(boundary: String) -> [String] {
        [
            "Date: \(self.date.headerDate)",
            "From: Mail Delivery System <\(self.from.map { "\($0)" } ?? "postmaster@\(self.reportingMTA)")>",
            "To: <\(self.sender)>",
            "Message-ID: <\(self.id)@\(self.reportingMTA)>",
            "Subject: Undelivered mail returned to sender",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            "Content-Type: multipart/report; report-type=delivery-status;",
            " boundary=\"\(boundary)\"",
        ]
    }

    private var humanPart: [String] {
        var lines = [
            "This is the mail system at host \(self.reportingMTA).", "",
            "Your message of \(self.arrival.headerDate) could not be delivered", "to the recipients below.",
        ]
        for recipient in self.recipients {
            let host = recipient.remoteMTA.map { " at host \($0)" } ?? ""
            let reason = recipient.reason.map { " (\(SafeText.escape($0)))" } ?? ""
            lines += ["", "\(recipient.finalRecipient)"]
            lines += SafeText.wrap("Code \(recipient.status)\(reason)\(host):", width: Self.width - 4).map {
                "    \($0)"
            }
            lines += SafeText.wrap(recipient.safeDiagnostic, width: Self.width - 4).map { "    \($0)" }
        }
        return lines
    }

    private var statusPart: [String] {
        var lines = ["Reporting-MTA: dns; \(self.reportingMTA)", "Arrival-Date: \(self.arrival.headerDate)"]
        for recipient in self.recipients {
            let address = recipient.finalRecipient.mailbox.map { "\($0)" } ?? "postmaster@\(self.reportingMTA)"
            lines += ["", "Final-Recipient: rfc822; \(address)", "Action: \(recipient.action.rawValue)"]
            lines.append("Status: \(recipient.status)")
            if let host = recipient.remoteMTA { lines.append("Remote-MTA: dns; \(host)") }
            let reason = recipient.reason.map { "\(SafeText.escape($0)): " } ?? ""
            let diagnostic = SafeText.wrap("smtp; \(reason)\(recipient.safeDiagnostic)", width: Self.width - 17)
            lines.append("Diagnostic-Code: " + diagnostic.joined(separator: "\r\n "))
        }
        return lines
    }

    /// The original header line by line, cut to its limit, each line escaped and kept under 998 bytes.
    private var returnedHeader: [String] {
        var kept = self.originalHeader.prefix(Self.maximumReturnedHeader)
        if kept.count < self.originalHeader.count, let end = kept.lastIndex(of: UInt8(ascii: "\n")) {
            kept = kept[...end]
        }
        var lines: [String] = []
        for line in kept.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            // An empty line would end the header section, and with it what this part may hold.
            guard !text.isEmpty else { break }
            let pieces = SafeText.wrap(SafeText.escapeNonASCII(text), width: 900)
            lines.append(pieces.joined(separator: "\r\n "))
        }
        return lines
    }
}

extension DeliveryStatusNotification.Recipient {
    fileprivate var safeDiagnostic: String {
        SafeText.escape(bytes: self.diagnostic.utf8.prefix(DeliveryStatusNotification.maximumDiagnostic))
    }
}
