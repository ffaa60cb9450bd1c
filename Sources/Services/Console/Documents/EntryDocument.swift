import ClusterModel
import MailModel
import QueueStore

/// One entry as programs read it: the keys of Postfix's `postqueue -j`, and ours.
struct EntryDocument {
    let entry: QueueListing

    /// Whole seconds where Postfix has them, RFC 3339 elsewhere.
    var fields: [OutputValue.Field] {
        let entry = self.entry
        return [
            .init("queue_name", .text(entry.postfixQueue)), .init("queue_id", .text("\(entry.key.message)")),
            .init("arrival_time", .number(Int(entry.arrival.microseconds / 1_000_000))),
            .init("message_size", .number(entry.size)), .init("sender", .text(entry.shownSender)),
            .init("recipients", .list(entry.recipients.map { self.recipient($0) })),
            .init("state", .text(entry.state.rawValue)), .init("waits_for", .optional(entry.waitsFor)),
            .init("suspended_because", .optional(entry.suspendedBecause)),
            .init("stage", .optional(entry.activity?.stage)), .init("host", .optional(entry.activity?.host)),
            .init("since", .optional(entry.activity.map { "\($0.began)" })), .init("attempts", .number(entry.attempts)),
            .init("next_attempt", .optional(entry.nextAttempt.map { "\($0)" })),
            .init("domain", .text(entry.key.domain.text)), .init("shard", .number(Int(entry.key.shard.rawValue))),
            .init("node", .optional(entry.node)), .init("dane", .optional(entry.dane)),
            .init("verdict", .optional(entry.verdict)),
        ]
    }

    private func recipient(_ recipient: QueueRecipient) -> OutputValue {
        let reason = self.entry.delayReason.map { [OutputValue.Field("delay_reason", .text($0))] } ?? []
        return .record([.init("address", .text(recipient.address))] + reason)
    }

    /// A row for people.
    func row(now: Timestamp) -> [String] {
        let entry = self.entry
        let more = entry.recipients.count > 1 ? " (+\(entry.recipients.count - 1))" : ""
        let next = entry.nextAttempt.map { $0 > now ? "in \(($0 - now).shortText)" : "due" } ?? "-"
        return [
            "\(entry.key.message)", entry.verdict == nil ? entry.state.rawValue : "failing",
            (now - entry.arrival).shortText, "\(entry.attempts)", next, entry.size.shortByteText, entry.shownSender,
            (entry.recipients.first?.address ?? "@\(entry.key.domain)") + more, entry.doing(now) ?? entry.shortReason,
        ]
    }

    /// The same with a row for each further recipient: none is hidden.
    func rows(now: Timestamp) -> [[String]] {
        var first = self.row(now: now)
        let addresses = self.entry.recipients.map(\.address)
        guard let address = addresses.first else { return [first] }
        first[Self.recipientColumn] = address
        return [first]
            + addresses.dropFirst().map { address in
                first.indices.map { $0 == Self.recipientColumn ? address : "" }
            }
    }

    private static let recipientColumn = 7

    static func table(_ style: TableStyle) -> TextTable {
        TextTable("ID", "STATE", "AGE", "TRIED", "NEXT", "SIZE", "SENDER", "RECIPIENT", "REASON", style: style)
    }
}

extension QueueListing {
    /// The queue in which Postfix would have it.
    fileprivate var postfixQueue: String {
        switch self.state {
        case .held: "hold"
        case .active: "active"
        case .deferred: "deferred"
        // What is due counts as active with Postfix, too: it is in the queue manager's hands.
        case .ready: "active"
        }
    }

    var shownSender: String { self.sender.isEmpty ? EntrySelection.nullSender : self.sender }

    /// Why it was not delivered at the last attempt: what the trace tells, or else its code and name.
    fileprivate var delayReason: String? {
        guard let lastReason else { return nil }
        return self.lastAttempt?.reply ?? [self.lastStatus, lastReason].compactMap(\.self).joined(separator: " ")
    }

    /// What is done about it at this moment, or what keeps it from being tried, if that is known.
    fileprivate func doing(_ now: Timestamp) -> String? {
        if let activity {
            let time = (now - activity.began).shortText
            switch activity.stage {
            case "connection": return "waits for a connection, for \(time)"
            case "look-up": return "its hosts are being looked up, for \(time)"
            default: return "at \(activity.host ?? "a host"), for \(time)"
            }
        }
        if let suspendedBecause, self.state == .deferred { return "suspended: \(suspendedBecause)" }
        guard self.state == .ready, let waitsFor else { return nil }
        return "waits for \(WaitingWords.words(waitsFor))"
    }

    /// The same in a few words: a host's own, or the code and name of what we found.
    fileprivate var shortReason: String {
        guard let lastReason else { return "-" }
        let own = lastReason == FailureReason.remoteReply.name ? self.lastAttempt?.reply : nil
        let text = own ?? [self.lastStatus, lastReason].compactMap(\.self).joined(separator: " ")
        return text.count > Self.longestReason ? text.prefix(Self.longestReason - 3) + "..." : text
    }

    /// A list is to be read, and `show` has all of it.
    private static let longestReason = 100

    /// What DANE and DNSSEC had to say at the last attempt. That is the failure, if it was one of theirs, or else what
    /// the host had to prove.
    fileprivate var dane: String? {
        let failure = self.lastReason.flatMap { FailureReason(rawValue: $0) }
        return failure?.isSecurityFailure == true ? failure?.name : self.lastAttempt?.requirement
    }
}

/// Prints entries as they come, so that a list of any length is never in memory as a whole.
struct EntryPrinter {
    let format: OutputFormat
    let now: Timestamp
    let terminal: ConsoleTerminal
    private(set) var count = 0
    private var table: TextTable

    init(format: OutputFormat, now: Timestamp, terminal: ConsoleTerminal) {
        self.format = format
        self.now = now
        self.terminal = terminal
        self.table = EntryDocument.table(terminal.style)
    }

    mutating func print(_ entries: some Collection<QueueListing>) throws(ConsoleFailure) {
        let documents = entries.map { EntryDocument(entry: $0) }
        guard !documents.isEmpty else { return }
        switch self.format {
        case .table:
            for line in self.table.lines(documents.map { $0.row(now: self.now) }) { try self.terminal.print(line) }
        case .json:
            let text = documents.map { OutputValue.record($0.fields).json }.joined(separator: ",\n")
            try self.terminal.print((self.count == 0 ? Self.jsonHead : ",") + text)
        case .jsonl:
            for document in documents { try self.terminal.print(OutputValue.document(document.fields).json) }
        case .yaml:
            if self.count == 0 { try self.terminal.print("schema: \"relayctl/v1\"\nentries:") }
            for document in documents { try self.terminal.print(OutputValue.record(document.fields).yamlItem) }
        }
        self.count += documents.count
    }

    private static let jsonHead = "{\"schema\":\"relayctl/v1\",\"entries\":[\n"

    /// Ends the list.
    ///
    /// - Parameter next: where to go on, if there is more.
    mutating func end(next: String?) throws(ConsoleFailure) {
        let place = OutputValue.optional(next).json
        switch self.format {
        case .table, .jsonl: ()
        case .json: try self.terminal.print((self.count == 0 ? Self.jsonHead : "") + "],\"next\":\(place)}")
        case .yaml:
            if self.count == 0 { try self.terminal.print("schema: \"relayctl/v1\"\nentries: []") }
            try self.terminal.print("next: \(place)")
        }
        if let next { self.terminal.say("there is more: --after \(next)") }
    }
}
