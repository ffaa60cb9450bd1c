import Foundation
import LabPeers
import LabRelay
import MailModel
import QueueStore

/// What the demo shows, one scene after the other. Nothing is claimed: each line is what was read from the relay's trace,
/// the name servers, the queue or the receiving servers.
struct DemoStory {
    static let domains: [LabDomain] = [
        .dane("bravo.test"), .forgedCertificate("forged.test"), .strippedSTARTTLS("stripped.test"),
        .bogus("bogus.test"), .opportunistic("plain.test"),
    ]

    private static let sender = "alice@alpha.test"

    /// The scenes in which mail must be held back, and why.
    private static let heldBack: [(domain: String, title: String, status: String, reason: String)] = [
        ("forged.test", "forged certificate", "4.7.323", "tlsa-invalid"),
        ("stripped.test", "STARTTLS stripped", "4.7.321", "starttls-not-supported"),
        ("bogus.test", "bogus zone", "4.7.324", "dnssec-invalid"),
    ]

    let lab: LabRelay
    let printer: DemoPrinter
    /// Whether all went as it must so far.
    private(set) var isGood = true

    init(lab: LabRelay, printer: DemoPrinter) {
        self.lab = lab
        self.printer = printer
    }

    /// Tells the scenes until `isOver`; `false` when it ended early.
    mutating func tell(until isOver: () -> Bool) async throws -> Bool {
        try await self.showEnrolment()
        try await self.sayWhatValidates()
        try await self.lookAtTLSA()
        self.printer.plain("")
        if isOver() { return false }
        try await self.relayWithDANE()
        for scene in Self.heldBack {
            if isOver() { return false }
            try await self.holdBack(scene.domain, scene.title, status: scene.status, reason: scene.reason)
        }
        if isOver() { return false }
        try await self.relayOpportunistically()
        self.printer.plain("")
        try await self.countQueue()
        self.lookForLeaks()
        self.printer.plain("")
        if isOver() { return false }
        try await self.addDomain()
        try await self.importWrongCertificate()
        if isOver() { return false }
        try await self.loseController()
        return true
    }

    // MARK: Before mail

    private mutating func sayWhatValidates() async throws {
        let line = await self.lab.relayd.waitForLogLine { $0["resolver"] != nil && $0["msg"] == "resolver validates" }
        self.conclude(
            "the relay validates DNSSEC for itself", "the relay did not say what it validates with",
            [line?["resolver"].map(Self.withoutOptions) ?? ""],
            unless: line == nil ? ["there is no such line in its log"] : [])
    }

    /// The options of libunbound at the end would fill lines; they stand in the log.
    private static func withoutOptions(_ description: String) -> String {
        description.range(of: "; options:").map { String(description[..<$0.lowerBound]) } ?? description
    }

    private mutating func lookAtTLSA() async throws {
        let observation = try await TLSAObservation.ask(self.lab, domain: "bravo.test")
        let record = observation.secureRecords.first.map { "\($0)" }
        self.conclude(
            "TLSA \(record ?? "") is published, observed DNSSEC-secure", "no secure TLSA record", [observation.name],
            took: observation.duration,
            unless: record != nil && record == self.lab.peer("bravo.test").tlsa ? [] : [observation.description])
    }

    // MARK: Mail

    /// A record with the first 16 digits of its data, as the peers name theirs; the trace has it whole.
    private static func shortened(_ record: String) -> String {
        let fields = record.split(separator: " ")
        guard fields.count == 4, fields[3].count > 16 else { return record }
        return (fields.prefix(3) + ["\(fields[3].prefix(16))..."]).joined(separator: " ")
    }

    private mutating func relayWithDANE() async throws {
        let (id, trace) = try await self.send(to: "bob@bravo.test")
        let peer = self.lab.peer("bravo.test")
        guard let event = trace.first(where: { $0.kind != .receive }) else { return }
        let matched = event.tlsMatch.map(Self.shortened)
        self.conclude(
            "relayed \(Self.sender) → bob@bravo.test", "mail for bravo.test was not relayed with DANE",
            [
                "DANE verified: \(matched ?? "-") at \(event.mxHost ?? "-")",
                "\(event.tlsVersion ?? "-") \(event.cipher ?? "-") · \(event.dnssec ?? "-") · trace \(id)",
            ],
            took: trace.latency,
            unless: [
                event.kind == .send ? nil : event.summary,
                event.authentication == .dane ? nil : "authenticated by \(event.authentication?.rawValue ?? "nothing")",
                matched == peer.tlsa ? nil : "matched \(matched ?? "nothing")",
                peer.server.received.count == 1 && peer.server.received[0].tls != nil
                    ? nil : "the receiving server took \(peer.server.messageCount) messages",
            ])
    }

    private mutating func holdBack(_ domain: String, _ title: String, status: String, reason: String) async throws {
        let (id, trace) = try await self.send(to: "bob@\(domain)")
        guard let event = trace.first(where: { $0.kind != .receive }) else { return }
        let observed = "\(event.status.map { "\($0)" } ?? "no code") \(event.reason ?? "no reason")"
        self.conclude(
            "held back, as it must be: \(observed) (\(title))", "\(title): \(observed)",
            [
                event.reply ?? "",
                "\(event.nextAttempt.map { "next attempt \($0)" } ?? "no further attempt") · trace \(id)",
            ],
            took: event.duration,
            unless: [
                event.kind == .defer ? nil : event.summary,
                observed == "\(status) \(reason)" ? nil : "expected \(status) \(reason)",
            ])
    }

    private mutating func relayOpportunistically() async throws {
        let (id, trace) = try await self.send(to: "bob@plain.test")
        guard let event = trace.first(where: { $0.kind != .receive }) else { return }
        self.conclude(
            "for contrast, relayed \(Self.sender) → bob@plain.test, which has no DANE",
            "mail for plain.test was not relayed",
            [
                "\(event.requirement ?? "-") TLS: \(event.tlsVersion ?? "in clear"), nobody authenticated"
                    + " · \(event.dnssec ?? "-") · trace \(id)"
            ],
            took: trace.latency,
            unless: [
                event.kind == .send ? nil : event.summary,
                event.authentication == .tls ? nil : "authenticated by \(event.authentication?.rawValue ?? "nothing")",
            ])
    }

    /// Sends one message and waits for the outcome of its first attempt.
    func send(to recipient: String) async throws -> (MessageID, [TraceEvent]) {
        let id = try await self.lab.submit(from: Self.sender, to: recipient)
        return (id, try await self.lab.wait(for: id) { trace in trace.contains { $0.kind != .receive } })
    }

    // MARK: After mail

    private mutating func countQueue() async throws {
        let summary = try await self.lab.queueSummary()
        let (entries, bytes) = (summary.total.entries, summary.total.bytes)
        self.conclude(
            "the queue keeps \(entries) messages (\(bytes) bytes) for their next attempt",
            "the queue keeps \(entries) messages, not \(Self.heldBack.count)",
            unless: [entries == Self.heldBack.count ? nil : "\(summary)"])
    }

    /// Whether any receiving server was told anything of a message that had to be held back.
    private mutating func lookForLeaks() {
        var seen: [String] = []
        var leaks: [String] = []
        for scene in Self.heldBack {
            let server = self.lab.peer(scene.domain).server
            seen.append("mx.\(scene.domain): connections \(server.connectionCount), messages \(server.messageCount)")
            let told = server.commands.filter { line in
                ["MAIL", "RCPT", "DATA"].contains { line.uppercased().hasPrefix($0) }
            }
            if !told.isEmpty || server.messageCount > 0 { leaks.append("mx.\(scene.domain) was told: \(told)") }
        }
        self.conclude(
            "no sender, recipient or text of them reached a receiving server", "something leaked", seen, unless: leaks)
    }

    // MARK: Verdicts

    /// Prints `good` with its details, or `bad` with what is wrong, if anything is.
    mutating func conclude(
        _ good: String, _ bad: String, _ details: [String] = [], took duration: Duration? = nil,
        unless problems: [String?]
    ) {
        let problems = problems.compactMap { $0 }
        let details = details.filter { !$0.isEmpty }
        if problems.isEmpty {
            self.printer.done(good, details, took: duration)
        } else {
            self.isGood = false
            self.printer.failed(bad, problems + details)
        }
    }
}

extension [TraceEvent] {
    /// From the reception's row to the last one's, by the database's clock.
    fileprivate var latency: Duration? {
        guard let first = self.first?.at, let last = self.last?.at else { return nil }
        return last - first
    }
}

extension TraceEvent {
    /// What happened, in one line.
    fileprivate var summary: String {
        [self.kind.rawValue, self.status.map { "\($0)" }, self.reason, self.reply].compactMap { $0 }
            .joined(separator: " ")
    }
}
