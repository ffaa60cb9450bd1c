public import MailModel

/// The schedules of all recipient domains: one for most, and rules for some.
public struct RetryPolicy: Hashable, Sendable {
    /// What is stated of some recipient domains.
    public struct Statement: Hashable, Sendable {
        fileprivate let schedule: RetrySchedule
        fileprivate let statesWaits: Bool
    }

    /// What holds for the recipient domains of a pattern.
    public typealias Rule = PatternRule<Statement>

    private let usual: RetrySchedule
    private let rules: [Rule]
    private let firstWaits: [Duration]

    /// Of several rules for a domain, the first counts.
    ///
    /// - Parameter firstWaits: come before the usual waits for domains whose next hop is configured. A host that was restarted
    ///   is soon back.
    public init(_ usual: RetrySchedule = .standard, rules: [Rule] = [], firstWaits: [Duration] = []) {
        self.usual = usual
        self.rules = rules
        self.firstWaits = firstWaits
    }

    /// What holds for mail to a domain.
    ///
    /// - Parameter hasNextHop: whether its next hop is configured.
    public subscript(domain: DomainName, hasNextHop hasNextHop: Bool = false) -> RetrySchedule {
        let stated = self.rules.first(about: domain)
        let schedule = stated?.schedule ?? self.usual
        guard stated?.statesWaits != true, hasNextHop else { return schedule }
        return schedule.preceded(by: self.firstWaits)
    }
}

extension PatternRule<RetryPolicy.Statement> {
    /// A rule.
    ///
    /// - Parameter statesWaits: whether its waits hold for next hops as they are.
    public init(_ pattern: DomainPattern, _ schedule: RetrySchedule, statesWaits: Bool = true) {
        self.init(pattern, RetryPolicy.Statement(schedule: schedule, statesWaits: statesWaits))
    }
}
