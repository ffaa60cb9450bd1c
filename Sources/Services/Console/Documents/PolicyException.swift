/// A domain that an operator lets off what is usually demanded, as `relayctl config exceptions` shows it.
public struct PolicyException: Hashable, Sendable {
    let domain: String
    let setting: String
    let policies: [String]
    let reason: String
    let until: String
    let isExpired: Bool
    let place: String

    /// - Parameters:
    ///   - setting: its key, with its index.
    ///   - policies: what counts without it.
    ///   - until: the first day without effect.
    ///   - place: where it is written.
    public init(
        domain: String, setting: String, policies: [String], reason: String, until: String, isExpired: Bool,
        place: String
    ) {
        self.domain = domain
        self.setting = setting
        self.policies = policies
        self.reason = reason
        self.until = until
        self.isExpired = isExpired
        self.place = place
    }

    private var fields: [OutputValue.Field] {
        [
            .init("domain", .text(self.domain)), .init("setting", .text(self.setting)),
            .init("policies", .list(self.policies.map { .text($0) })), .init("until", .text(self.until)),
            .init("expired", .bool(self.isExpired)), .init("reason", .text(self.reason)),
            .init("place", .text(self.place)),
        ]
    }

    private var row: [String] {
        [
            self.domain, self.policies.joined(separator: ", "), self.until, self.isExpired ? "expired" : "in force",
            self.setting, self.reason,
        ]
    }

    /// Writes a list of them.
    public static func write(
        _ exceptions: [PolicyException], _ format: OutputFormat, to terminal: ConsoleTerminal
    ) throws(ConsoleFailure) {
        let document = OutputValue.document([.init("exceptions", .list(exceptions.map { .record($0.fields) }))])
        switch format {
        case .table:
            var table = TextTable("DOMAIN", "POLICY", "UNTIL", "STATE", "SETTING", "REASON", style: terminal.style)
            for line in table.lines(exceptions.map(\.row)) { try terminal.print(line) }
        case .json: try terminal.print(document.json)
        case .jsonl: for exception in exceptions { try terminal.print(OutputValue.document(exception.fields).json) }
        case .yaml: try terminal.print(document.yaml)
        }
    }
}
