public import MailModel

/// The schedules of all recipient domains: one for most, and rules for some.
public struct RetryPolicy: Hashable, Sendable {
    /// What holds for the recipient domains of a pattern.
    public struct Rule: Hashable, Sendable {
        fileprivate let pattern: DomainPattern
        fileprivate let schedule: RetrySchedule

        /// A rule.
        public init(_ pattern: DomainPattern, _ schedule: RetrySchedule) {
            self.pattern = pattern
            self.schedule = schedule
        }
    }

    private let usual: RetrySchedule
    private let rules: [Rule]

    /// Of several rules for a domain, the first counts.
    public init(_ usual: RetrySchedule = .standard, rules: [Rule] = []) {
        self.usual = usual
        self.rules = rules
    }

    /// What holds for mail to a domain.
    public subscript(domain: DomainName) -> RetrySchedule {
        self.rules.first { $0.pattern.matches(domain) }?.schedule ?? self.usual
    }
}
