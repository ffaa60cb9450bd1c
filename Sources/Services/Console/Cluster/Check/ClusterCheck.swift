import MailModel

/// What one look at a cluster found.
struct CheckFinding: Hashable, Sendable {
    enum Outcome: String, Hashable, Sendable {
        case ok
        /// It works, and somebody should look at it.
        case warning
        /// It does not work, or soon will not.
        case error
    }

    /// A name for programs.
    let id: String
    let outcome: Outcome
    /// What is so, in a sentence.
    let title: String
    /// What to do about it.
    let hint: String?

    static func ok(_ id: String, _ title: String) -> CheckFinding {
        CheckFinding(id: id, outcome: .ok, title: title, hint: nil)
    }

    static func warning(_ id: String, _ title: String, _ hint: String) -> CheckFinding {
        CheckFinding(id: id, outcome: .warning, title: title, hint: hint)
    }

    static func error(_ id: String, _ title: String, _ hint: String) -> CheckFinding {
        CheckFinding(id: id, outcome: .error, title: title, hint: hint)
    }
}

/// All that was found, by what it is about.
struct CheckReport: Hashable, Sendable {
    struct Category: Hashable, Sendable {
        let name: String
        let findings: [CheckFinding]
    }

    var categories: [Category] = []

    mutating func add(_ name: String, _ findings: [CheckFinding]) {
        if !findings.isEmpty { self.categories.append(Category(name: name, findings: findings)) }
    }

    private var outcomes: [CheckFinding.Outcome] { self.categories.flatMap { $0.findings.map(\.outcome) } }

    /// The worst of all.
    var outcome: CheckFinding.Outcome {
        let outcomes = self.outcomes
        return outcomes.contains(.error) ? .error : outcomes.contains(.warning) ? .warning : .ok
    }

    var document: OutputValue {
        let categories = self.categories.map { category -> OutputValue in
            let checks = category.findings.map { finding -> OutputValue in
                .record([
                    .init("id", .text(finding.id)), .init("result", .text(finding.outcome.rawValue)),
                    .init("title", .text(finding.title)), .init("hint", .optional(finding.hint)),
                ])
            }
            return .record([.init("category", .text(category.name)), .init("checks", .list(checks))])
        }
        return .document([
            .init("result", .text(self.outcome.rawValue)), .init("categories", .list(categories)),
        ])
    }

    /// As linkerd's: categories, a sign before each check, a hint below what is not well, and the verdict.
    ///
    /// - Parameter isUnicode: the terminal shows more than ASCII.
    func lines(isUnicode: Bool) -> [String] {
        let signs = isUnicode ? ["√", "‼", "×"] : ["[ok]", "[warning]", "[error]"]
        func sign(_ outcome: CheckFinding.Outcome) -> String {
            switch outcome {
            case .ok: signs[0]
            case .warning: signs[1]
            case .error: signs[2]
            }
        }
        var lines: [String] = []
        for category in self.categories {
            lines += [category.name, String(repeating: "-", count: category.name.count)]
            for finding in category.findings {
                lines.append(TextTable.shown("\(sign(finding.outcome)) \(finding.title)"))
                if let hint = finding.hint { lines.append(TextTable.shown("    \(hint)")) }
            }
            lines.append("")
        }
        return lines + ["Status check results are \(sign(self.outcome))\(self.tally)"]
    }

    /// How many are not well.
    private var tally: String {
        let outcomes = self.outcomes
        let (errors, warnings) = (outcomes.count { $0 == .error }, outcomes.count { $0 == .warning })
        let parts = [(errors, "error"), (warnings, "warning")].filter { $0.0 > 0 }.map { $0.words($1) }
        return parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))"
    }
}
