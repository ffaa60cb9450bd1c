import ControlAPI
import MailModel
import SwiftProtobuf

/// A node as its controller sees it.
struct NodeDocument {
    let node: ControlNode

    /// How far the node's clock is ahead; `nil` until it has told.
    var offset: Duration? { self.node.hasClockOffset ? Duration(self.node.clockOffset) : nil }
    private var lastSeen: Timestamp? { self.node.hasLastSeen ? Timestamp(self.node.lastSeen) : nil }
    var certificateEnd: Timestamp? {
        self.node.hasCertificateNotAfter ? Timestamp(self.node.certificateNotAfter) : nil
    }

    var fields: [OutputValue.Field] {
        [
            .init("node", .text(self.node.name)), .init("status", .text(self.node.status.words)),
            .init("last_seen", .optional(self.lastSeen.map { "\($0)" })),
            .init("certificate_not_after", .optional(self.certificateEnd.map { "\($0)" })),
            .init("acknowledged_version", .number(Int(clamping: self.node.acknowledgedVersion))),
            .init("served_version", .number(Int(clamping: self.node.servedVersion))),
            .init("clock_offset_ms", self.offset.map { .number(Int($0.wholeMicroseconds / 1000)) } ?? .null),
            .init("program_version", .text(self.node.programVersion)),
            .init("refusal", self.refusal),
        ]
    }

    private var refusal: OutputValue {
        guard self.node.hasRefusal else { return .null }
        let refusal = self.node.refusal
        return .record([
            .init("state_version", .number(Int(clamping: refusal.stateVersion))),
            .init("resource", refusal.hasResource ? .text(refusal.resource.words) : .null),
            .init("reason", .text(refusal.reason)),
        ])
    }

    static func table(_ style: TableStyle) -> TextTable {
        TextTable("NODE", "STATUS", "SERVES", "SEEN", "CERTIFICATE", "CLOCK", "VERSION", style: style)
    }

    func row(now: Timestamp) -> [String] {
        [
            self.node.name, self.node.status.words, self.node.servedVersion == 0 ? "-" : "\(self.node.servedVersion)",
            self.lastSeen.map { "\((now - $0).shortText) ago" } ?? "-", self.certificate(now: now),
            self.offset?.offsetText ?? "-", self.node.programVersion.isEmpty ? "-" : self.node.programVersion,
        ]
    }

    private func certificate(now: Timestamp) -> String {
        guard let end = self.certificateEnd else { return "-" }
        return end > now ? "ends in \((end - now).shortText)" : "expired \((now - end).shortText) ago"
    }

    /// For people, a line for each fact.
    func lines(now: Timestamp) -> [String] {
        var lines = [
            "node          \(self.node.name)", "status        \(self.node.status.words)",
            "serves        state \(self.node.servedVersion)", "acknowledged  state \(self.node.acknowledgedVersion)",
            "last seen     \(self.lastSeen.map { "\($0) (\((now - $0).shortText) ago)" } ?? "never")",
            "certificate   \(self.certificate(now: now))", "clock         \(self.offset?.offsetText ?? "-")",
            "version       \(self.node.programVersion)",
        ]
        if self.node.hasRefusal { lines.append("refuses       \(self.refusalWords)") }
        return lines.map(TextTable.shown)
    }

    /// Such as `state 7: certificate/mx: the key is not the certificate's`.
    var refusalWords: String {
        let refusal = self.node.refusal
        let resource = refusal.hasResource ? "\(refusal.resource.words): " : ""
        return "state \(refusal.stateVersion): \(resource)\(refusal.reason)"
    }
}

extension Duration {
    /// How far a clock is ahead, such as `+12 ms` or `-3.2 s`.
    var offsetText: String {
        let milliseconds = self.wholeMicroseconds / 1000
        let sign = milliseconds < 0 ? "-" : "+"
        let size = milliseconds.magnitude
        return size < 1000 ? "\(sign)\(size) ms" : "\(sign)\(size / 1000).\(size % 1000 / 100) s"
    }
}

/// Where the state of a node stands: desired, sent, acknowledged and served.
struct NodeDifference {
    let answer: ControlDiffNodeResponse

    private var versions: [(name: String, version: UInt64)] {
        [
            ("desired", self.answer.desiredVersion), ("sent", self.answer.sentVersion),
            ("acknowledged", self.answer.node.acknowledgedVersion), ("served", self.answer.node.servedVersion),
        ]
    }

    var document: OutputValue {
        let node = NodeDocument(node: self.answer.node)
        let resources = self.answer.resources.map { difference -> OutputValue in
            .record([
                .init("type", .text(difference.key.type.words)), .init("name", .text(difference.key.name)),
                .init("desired", Self.version(difference.desired)), .init("served", Self.version(difference.served)),
            ])
        }
        return .document(
            [.init("node", .text(self.answer.node.name)), .init("status", .text(self.answer.node.status.words))]
                + self.versions.map { .init($0.name, .number(Int(clamping: $0.version))) }
                + [
                    .init("refusal", node.fields.first { $0.key == "refusal" }?.value ?? .null),
                    .init("resources", .list(resources)),
                ])
    }

    /// Zero stands for none.
    private static func version(_ version: UInt64) -> OutputValue {
        version == 0 ? .null : .number(Int(clamping: version))
    }

    func lines(_ style: TableStyle) -> [String] {
        let node = self.answer.node
        let head = self.versions.map { "\($0.name) \($0.version)" }.joined(separator: ", ")
        var lines = [TextTable.shown("\(node.name): \(node.status.words); \(head)")]
        if node.hasRefusal { lines.append(TextTable.shown("refuses \(NodeDocument(node: node).refusalWords)")) }
        guard !self.answer.resources.isEmpty else { return lines + ["no resource differs"] }
        var table = TextTable("RESOURCE", "DESIRED", "SERVED", style: style)
        return lines
            + table.lines(
                self.answer.resources.map { difference in
                    [
                        difference.key.words, difference.desired == 0 ? "-" : "\(difference.desired)",
                        difference.served == 0 ? "-" : "\(difference.served)",
                    ]
                })
    }
}
