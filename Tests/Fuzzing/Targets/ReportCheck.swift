import MailModel

/// Reports made of hostile text. The input's first byte chooses sender, action and what is given back. Then come,
/// parted by 0xFF, what the host said, ORCPT, ENVID, and the original message.
enum ReportCheck {
    private static let boundary = "Zq3xV8kTn1Lw"

    static func check(_ input: [UInt8]) throws(Violation) {
        let parts = input.dropFirst().split(separator: 0xFF, maxSplits: 3, omittingEmptySubsequences: false)
        guard let flags = input.first, let report = self.report(flags, parts) else { return }
        let bytes = report.bytes(boundary: self.boundary)
        try promise(bytes.count <= 40_000 + 8 * input.count, "\(bytes.count) bytes of \(input.count)")
        let isASCII = bytes.allSatisfy { $0 < 0x80 }
        try promise(isASCII || report.isInternational, "eight bits for one whose hosts may not take them")
        let original = parts.count > 3 ? Array(parts[3]) : []
        if flags & 4 == 0 {
            try promise(bytes.hasOnlyWholeLineEnds, "a stray CR, LF or NUL")
            let isText = bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f || [9, 10, 13].contains($0) }
            try promise(isText, "a control byte")
            try promise(String(validating: bytes, as: UTF8.self) != nil, "a report that is not UTF-8")
        }
        try self.checkLines(bytes, boundaries: original.contains(45) ? nil : 4)
        try self.checkFields(bytes)
    }

    private static func report(_ flags: UInt8, _ parts: [ArraySlice<UInt8>]) -> DeliveryStatusNotification? {
        let texts = parts.map { String(decoding: $0, as: UTF8.self) }
        let host = DomainName("relay.test")
        guard let host, let failed = Mailbox(flags & 2 == 0 ? "u@mx.test" : "\"ü \\\"\"@mx.test"),
            let sender = ReversePath(flags & 1 == 0 ? "<s@relay.test>" : "<ß@relay.test>")
        else { return nil }
        let said = texts.first ?? ""
        var recipient = DeliveryStatusNotification.Recipient(
            finalRecipient: failed, status: EnhancedStatusCode(.permanentFailure, 7, UInt16(flags) + 300),
            diagnostic: flags & 8 == 0 ? .reply(said) : .finding(said))
        recipient.originalRecipient = texts.count > 1 ? OriginalRecipient(texts[1]) : nil
        recipient.remoteMTA = .name(host)
        recipient.willRetryUntil = flags & 16 == 0 ? nil : Timestamp(seconds: 1_800_000_000)
        let message = parts.count > 3 ? Array(parts[3]) : []
        var original = DeliveryStatusNotification.Original(
            arrival: Timestamp(seconds: 1_790_000_000), content: flags & 4 == 0 ? .header(message) : .message(message))
        original.envelopeID = texts.count > 2 ? XText.decode(texts[2]) : nil
        original.isInternational = flags & 32 != 0
        let actions = DeliveryStatusNotification.Action.allCases
        return DeliveryStatusNotification(
            actions[Int(flags >> 6) % actions.count], to: sender, reportingMTA: host,
            date: Timestamp(seconds: 1_790_000_001), id: MessageID(high: 1, low: 2), on: [recipient], of: original)
    }

    private static func checkLines(_ bytes: [UInt8], boundaries: Int?) throws(Violation) {
        var (length, count) = (0, 0)
        let mark = Array("--\(self.boundary)".utf8)
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
            length = max(length, line.count - (line.last == 13 ? 1 : 0))
            if line.starts(with: mark) { count += 1 }
        }
        try promise(length <= 998, "a line of \(length) bytes")
        if let boundaries { try promise(count == boundaries, "\(count) boundaries") }
        try promise(bytes.suffix(2) == [13, 10], "no line end at the end")
    }

    /// The part for programs holds fields, folded lines and the empty lines between recipients only (RFC 3464 §2.1).
    private static func checkFields(_ bytes: [UInt8]) throws(Violation) {
        let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { $0.dropLast() }
        let mark = Array("--\(self.boundary)".utf8)
        let second = lines.indices.filter { lines[$0].elementsEqual(mark) }.dropFirst()
        guard let start = second.first, let end = second.dropFirst().first else { throw Violation("a part is missing") }
        let body = lines[start..<end].drop { !$0.isEmpty }
        var names: Set<String> = []
        for line in body where !line.isEmpty && line.first != 32 {
            guard let colon = line.firstIndex(of: 58) else { throw Violation("a line that is no field") }
            let name = String(decoding: line[..<colon], as: UTF8.self)
            try promise(names.insert(name).inserted, "\(name) stands twice")
            try promise(name.utf8.allSatisfy { $0 == 45 || (65...122).contains($0) }, "a field called \(name)")
        }
        let owed: Set = ["Reporting-MTA", "Final-Recipient", "Action", "Status", "Diagnostic-Code"]
        try promise(names.isSuperset(of: owed), "fields are missing: \(owed.subtracting(names))")
    }
}
