import DeliveryQueue
import MailModel
import QueueStore

/// A standing rule as programs read it, and for people.
struct RuleDocument {
    let rule: QueueRule

    var fields: [OutputValue.Field] {
        [
            .init("id", .number(Int(self.rule.id))), .init("action", .text(self.rule.action.rawValue)),
            .init("domain", .text("\(self.rule.scope)")), .init("since", .text("\(self.rule.since)")),
            .init("until", .optional(self.rule.until.map { "\($0)" })), .init("reason", .text(self.rule.reason)),
            .init("actor", .text(self.rule.actor)),
        ]
    }

    /// - Parameter count: what was given up.
    func document(_ count: QueueActionCount? = nil) -> OutputValue { .document(self.fields + (count?.fields ?? [])) }

    /// What a rule would be about.
    static func plan(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope, _ count: QueueActionCount
    ) -> OutputValue {
        .document(
            [
                .init("action", .text(action.rawValue)), .init("dry_run", .bool(true)),
                .init("domain", .text("\(scope)")),
            ] + count.fields)
    }

    static func table(_ style: TableStyle) -> TextTable {
        TextTable("ID", "ACTION", "DOMAIN", "SINCE", "ENDS", "BY", "REASON", style: style)
    }

    func row(now: Timestamp) -> [String] {
        [
            "\(self.rule.id)", self.rule.action.rawValue, "\(self.rule.scope)", (now - self.rule.since).shortText,
            self.end(now: now), self.rule.actor, self.rule.reason,
        ]
    }

    /// What was made, such as `rule 3: suspend bravo.test, ends in 2h`.
    func made(now: Timestamp) -> String {
        "rule \(self.rule.id): \(self.rule.action.rawValue) \(self.rule.scope.words), ends \(self.end(now: now))"
    }

    private func end(now: Timestamp) -> String {
        self.rule.until.map { "in \(($0 - now).shortText)" } ?? "when lifted"
    }
}

extension QueueRule.Scope {
    /// For a sentence.
    var words: String {
        switch self {
        case .everything: "every domain"
        case .domains(let pattern): "\(pattern)"
        }
    }

    /// The entries that wait in it, and about which such a rule decides. What an operator holds back is not touched.
    func selection(of action: QueueRule.Action) -> QueueSelection {
        var selection = QueueSelection()
        selection.haveSender = action == .bounce && !self.isOneDomain
        selection.states = [.ready, .active, .deferred]
        switch self {
        case .everything: ()
        case .domains(let pattern) where pattern.isWildcard: selection.parents = [pattern.name]
        case .domains(let pattern): selection.domains = [pattern.name]
        }
        return selection
    }
}

extension QueueActionCount {
    fileprivate var fields: [OutputValue.Field] {
        [.init("affected", .number(self.affected)), .init("in_delivery", .number(self.inDelivery))]
    }

    /// Such as `3 entries; 1 in delivery, not changed`.
    var words: String {
        let entries = self.affected == 1 ? "1 entry" : "\(self.affected) entries"
        return self.inDelivery > 0 ? "\(entries); \(self.inDelivery) in delivery, not changed" : entries
    }
}
