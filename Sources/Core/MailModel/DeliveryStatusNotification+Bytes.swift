extension DeliveryStatusNotification {
    /// The longest line of prose.
    static let width = 76
    /// The longest line of anything else; RFC 5322 §2.1.1 allows 998 bytes.
    static let maximumLine = 900
    /// The most bytes of the original's header that any report gives back, as they stand in it.
    public static let maximumHeader = 4096
    /// The most bytes of one diagnostic that are quoted.
    public static let maximumDiagnostic = 2048

    /// One part of the report, with CRLF behind each line.
    private struct Part {
        let type: String
        let content: [UInt8]

        init(_ type: String, _ content: [UInt8]) {
            self.type = type
            self.content = content
        }

        init(_ type: String, lines: [String]) {
            self.init(type, Array(lines.map { "\($0)\r\n" }.joined().utf8))
        }

        var isEightBit: Bool { self.content.contains { $0 >= 0x80 } }
    }

    /// The whole report in CRLF lines. One to an international sender may hold eight-bit text, and then says so. Its
    /// hosts have 8BITMIME, without which there is no SMTPUTF8 (RFC 6531 §3.1). Any other is ASCII throughout.
    ///
    /// `boundary` must not begin a line of the original; a caller makes it of random letters and digits.
    public func bytes(boundary: String) -> [UInt8] {
        let charset = self.isInternational ? "utf-8" : "us-ascii"
        let kind = self.isInternational ? "global-delivery-status" : "delivery-status"
        let parts = [
            Part("text/plain; charset=\(charset)", lines: self.prose),
            Part("message/\(kind)", lines: self.fields), self.returnedPart,
        ]
        var output = Part("", lines: self.header(boundary: boundary)).content
        if parts.contains(where: \.isEightBit) { output += Self.eightBit.utf8 }
        for part in parts {
            output += "\r\n--\(boundary)\r\nContent-Type: \(part.type)\r\n".utf8
            if part.isEightBit { output += Self.eightBit.utf8 }
            output += "\r\n".utf8 + part.content
        }
        return output + "\r\n--\(boundary)--\r\n".utf8
    }

    private static let eightBit = "Content-Transfer-Encoding: 8bit\r\n"

    /// Its own trace field comes first, so that a report that goes in circles is found out like any other message.
    private func header(boundary: String) -> [String] {
        var lines = [
            "Received: by \(self.reportingMTA) id \(self.id);", "\t\(self.date.headerDate)",
            "Date: \(self.date.headerDate)", "From: Mail Delivery System <\(self.from)>", "To: <\(self.sender)>",
            "Message-ID: <\(self.id)@\(self.reportingMTA)>", "Subject: \(self.subject)",
        ]
        if let about = self.original.content.headerSection.messageID {
            lines += ["In-Reply-To: \(about)", "References: \(about)"]
        }
        return lines + [
            "Auto-Submitted: auto-replied", "MIME-Version: 1.0",
            "Content-Type: multipart/report; report-type=delivery-status;", "\tboundary=\"\(boundary)\"",
        ]
    }

    // MARK: - The original

    /// Only a failure gives the whole message back (RFC 3461 §4.3), and an ASCII report gives back none with eight-bit
    /// text. No encoding would make message/rfc822 ASCII (RFC 2046 §5.2.1). A report that is lost for want of 8BITMIME
    /// tells less than one with the header, which has a form in ASCII.
    private var returnedPart: Part {
        if self.action == .failed, let message = self.original.content.wholeMessage,
            self.isInternational || message.allSatisfy({ $0 < 0x80 })
        {
            return Part(
                self.isInternational && self.original.isInternational ? "message/global" : "message/rfc822", message)
        }
        let type = self.isInternational ? "message/global-headers" : "text/rfc822-headers; charset=us-ascii"
        return Part(type, lines: self.returnedFields)
    }

    /// The header fields given back, as far as they fit: first those that tell which message it was, then the others,
    /// all in their order. A field that does not fit is left out whole.
    private var returnedFields: [String] {
        let fields = self.original.content.headerSection.fields.map { field in
            (isTelling: Self.isTelling(field), text: self.safe(field))
        }
        var remaining = self.headerLimit
        var chosen: Set<Int> = []
        for isTelling in [true, false] {
            for (index, field) in fields.enumerated() where field.isTelling == isTelling {
                let size = field.text.utf8.count + 2
                guard size <= remaining else { continue }
                remaining -= size
                chosen.insert(index)
            }
        }
        return chosen.sorted().map { fields[$0].text }
    }

    private static func isTelling(_ field: ArraySlice<ArraySlice<UInt8>>) -> Bool {
        guard let name = field.first?.prefix(while: { $0 != UInt8(ascii: ":") }) else { return false }
        return Self.tellingNames.contains(String(decoding: name, as: UTF8.self).lowercased())
    }

    private static let tellingNames: Set = ["date", "from", "to", "subject", "message-id"]

    private func safe(_ field: ArraySlice<ArraySlice<UInt8>>) -> String {
        field.map { line in
            let safe = self.isInternational ? SafeText.escapeControls(line) : SafeText.escapeNonASCII(line)
            return SafeText.wrap(safe, width: Self.maximumLine).joined(separator: "\r\n ")
        }.joined(separator: "\r\n")
    }
}
