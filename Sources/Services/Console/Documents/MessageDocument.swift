import MailModel
import QueueStore

/// All that is known of one message.
struct MessageDocument {
    let id: MessageID
    let message: StoredMessage?
    let entries: [QueueListing]
    let trace: [TraceEvent]

    var isKnown: Bool { self.message != nil || !self.trace.isEmpty }

    var document: OutputValue {
        .document([
            .init("queue_id", .text("\(self.id)")),
            .init("sender", .optional(self.sender)),
            .init("message_size", self.size.map { .number($0) } ?? .null),
            .init("arrival_time", self.arrival.map { .number(Int($0.microseconds / 1_000_000)) } ?? .null),
            .init("finished_at", .optional(self.message?.finishedAt.map { "\($0)" })),
            .init("reception", self.reception.map { .record($0.fields) } ?? .null),
            .init("attributes", self.message.map { Self.attributes($0.attributes) } ?? .null),
            .init("entries", .list(self.entries.map { .record(EntryDocument(entry: $0).fields) })),
            .init("trace", .list(self.trace.map(\.document))),
        ])
    }

    /// For people: what it is, where it waits, and its life line by line.
    func lines(now: Timestamp, _ style: TableStyle = TableStyle()) -> [String] {
        var lines = ["Message   \(self.id)"]
        if let sender { lines.append("Sender    \(sender)") }
        if let size { lines.append("Size      \(size.shortByteText)") }
        if let reception, let who = reception.sentence { lines.append("From      \(who)") }
        if let message {
            let attributes = Self.described(message.attributes)
            if !attributes.isEmpty { lines.append("With      \(attributes)") }
        }
        if let arrival { lines.append("Arrived   \(arrival) (\((now - arrival).shortText) ago)") }
        if let finished = self.message?.finishedAt { lines.append("Finished  \(finished)") }
        lines = lines.map(TextTable.shown)
        if !self.entries.isEmpty {
            var table = EntryDocument.table(style)
            // The id stands above already.
            lines += [""] + table.lines(self.entries.flatMap { EntryDocument(entry: $0).rows(now: now) })
        }
        return lines + [""] + self.trace.map { TextTable.shown($0.line) }
    }

    private var received: TraceEvent? { self.trace.first { $0.kind == .receive } }
    private var reception: Reception? { self.received?.reception }

    /// As the message's row has it, or, once that is gone, the trace of its reception.
    private var sender: String? {
        (self.message?.sender ?? self.received?.sender).map { $0.isEmpty ? EntrySelection.nullSender : $0 }
    }

    private var size: Int? { self.message?.size ?? self.received?.size }

    private var arrival: Timestamp? { self.entries.first?.arrival ?? self.received?.at }

    private static func attributes(_ attributes: MessageAttributes) -> OutputValue {
        .record([
            .init("eight_bit", .bool(attributes.isEightBit)), .init("smtputf8", .bool(attributes.isSMTPUTF8)),
            .init("requiretls", .bool(attributes.requiresTLS)), .init("ret", .optional(attributes.dsnReturn?.rawValue)),
            .init("envid", .optional(attributes.envelopeID)),
            .init("client_address", .optional(attributes.clientAddress)),
            .init("client_name", .optional(attributes.clientName)),
        ])
    }

    private static func described(_ attributes: MessageAttributes) -> String {
        let flags = [
            (attributes.isEightBit, "8BITMIME"), (attributes.isSMTPUTF8, "SMTPUTF8"),
            (attributes.requiresTLS, "REQUIRETLS"),
        ].filter(\.0).map(\.1)
        let values = [
            ("RET", attributes.dsnReturn?.rawValue), ("ENVID", attributes.envelopeID),
        ].compactMap { name, value in value.map { "\(name)=\($0)" } }
        return (flags + values).joined(separator: " ")
    }
}

extension Reception {
    fileprivate var fields: [OutputValue.Field] {
        [
            .init("client", .optional(self.client)), .init("helo", .optional(self.hello)),
            .init("user", .optional(self.user)), .init("admitted_by", .optional(self.admittedBy)),
            .init("message_id_field", .optional(self.messageIDField)),
        ]
    }

    /// For people; nothing for a message of our own.
    fileprivate var sentence: String? {
        guard let client else { return nil }
        let facts = [
            ("HELO", self.hello), ("user", self.user), ("admitted by", self.admittedBy),
            ("Message-ID", self.messageIDField),
        ].compactMap { name, value in value.map { "\(name) \($0)" } }
        return ([client] + facts).joined(separator: ", ")
    }
}

extension TraceEvent {
    private var fields: [(key: String, value: String?)] {
        [
            ("node", self.node), ("mx_host", self.mxHost), ("address", self.address), ("dnssec", self.dnssec),
            ("requirement", self.requirement), ("auth", self.authentication?.rawValue),
            ("tls_version", self.tlsVersion), ("cipher", self.cipher), ("tls_match", self.tlsMatch),
            ("tls_failure", self.tlsFailure),
            ("status", self.status.map { "\($0)" }), ("reason", self.reason), ("reply", self.reply),
            ("next_attempt", self.nextAttempt.map { "\($0)" }),
        ]
    }

    fileprivate var document: OutputValue {
        .record(
            [
                .init("at", .optional(self.at.map { "\($0)" })), .init("kind", .text(self.kind.rawValue)),
                .init("domain", .text(self.domain.text)), .init("recipients", .text(self.recipients)),
                .init("attempt", .number(self.attempt)),
                .init("duration_ms", self.duration.map { .number(Int($0.wholeMicroseconds / 1000)) } ?? .null),
            ] + self.fields.map { .init($0.key, .optional($0.value)) })
    }

    /// The event on one line, with what is known of it.
    fileprivate var line: String {
        let facts = self.fields.filter { $0.key != "reply" }.compactMap { key, value in value.map { "\(key)=\($0)" } }
        let head = ["\(self.at.map { "\($0)" } ?? "-")", self.kind.rawValue, self.recipients]
        return (head + facts + [self.reply].compactMap(\.self)).joined(separator: "  ")
    }
}
