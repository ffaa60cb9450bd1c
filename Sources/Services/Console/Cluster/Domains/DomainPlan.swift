import ControlAPI

/// A domain as it shall be.
struct DesiredDomain: Hashable {
    var domain: ControlDomain
    /// The local parts of its list; `nil` without one.
    var recipients: [String]?
}

/// What must be done so that one domain is as it shall be.
struct DomainPlan {
    /// What a value was, and will be.
    struct Difference: Hashable {
        let key: String
        let from, to: String?
    }

    let desired: DesiredDomain
    /// As the controller has it; `nil` if it does not.
    var current: ControlVersionedDomain?

    var name: String { self.desired.domain.name }
    /// The version that the change is made on.
    var base: UInt64 { self.current?.version ?? 0 }

    /// The domain as it is to be sent. A list comes by a call of its own, which also makes it count.
    var domain: ControlDomain {
        var domain = self.desired.domain
        domain.recipientListParts = self.current?.domain.recipientListParts ?? 0
        if domain.recipientVerification == .list, domain.recipientListParts == 0 {
            domain.recipientVerification = ControlRecipientVerification.none
        }
        return domain
    }

    /// What differs, by the keys of settings; of a new domain, all that is said.
    var differences: [Difference] {
        let before = self.current.map { DomainDocument($0).said }
        return DomainDocument(self.desired.domain).said.enumerated().compactMap { index, said in
            let old = before?[index].value
            return old == said.value ? nil : Difference(key: said.key, from: old, to: said.value)
        } + self.listDifference
    }

    /// Controllers tell how many recipients a list has, and not which.
    private var listDifference: [Difference] {
        guard let recipients = self.desired.recipients else { return [] }
        let (old, new) = (self.current?.recipients ?? 0, UInt64(recipients.count))
        return old == new ? [] : [Difference(key: "listed", from: self.current.map { _ in "\(old)" }, to: "\(new)")]
    }

    /// Whether the domain itself must be sent.
    var isChanged: Bool { self.differences.contains { $0.key != "listed" } }

    /// Lines as people know them from `diff`: what is new has +, what changes ~, and what stays no line.
    var lines: [String] {
        let differences = self.differences
        guard self.current != nil else {
            let facts = differences.compactMap { difference in
                difference.to.map { "\(difference.key) \(Self.short($0))" }
            }
            return ["+ \(self.name): \(facts.joined(separator: ", "))"]
        }
        return differences.map { difference in
            let (from, to) = (difference.from.map(Self.short) ?? "-", difference.to.map(Self.short) ?? "-")
            return "~ \(self.name): \(difference.key) \(from) -> \(to)"
        }
    }

    private static func short(_ text: String) -> String {
        text.contains { $0.isNewline } ? "(certificates)" : text
    }

    /// What programs read of it.
    var fields: [OutputValue.Field] {
        let action = self.current == nil ? "add" : self.differences.isEmpty ? "keep" : "change"
        let differences = self.differences.map { difference -> OutputValue in
            .record([
                .init("key", .text(difference.key)), .init("from", .optional(difference.from)),
                .init("to", .optional(difference.to)),
            ])
        }
        return [
            .init("domain", .text(self.name)), .init("action", .text(action)),
            .init("differences", .list(differences)),
        ]
    }
}
