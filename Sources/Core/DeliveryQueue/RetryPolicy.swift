public import MailModel

/// The schedules of all recipient domains: one for most, and rules for some.
public struct RetryPolicy: Hashable, Sendable {
    /// What holds for the recipient domains of a pattern.
    public struct Rule: Hashable, Sendable {
        fileprivate let pattern: DomainPattern
        fileprivate let schedule: RetrySchedule
        fileprivate let statesWaits: Bool

        /// A rule.
        ///
        /// - Parameter statesWaits: whether its waits hold for next hops as they are.
        public init(_ pattern: DomainPattern, _ schedule: RetrySchedule, statesWaits: Bool = true) {
            self.pattern = pattern
            self.schedule = schedule
            self.statesWaits = statesWaits
        }
    }

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
        let rule = self.rules.first { $0.pattern.matches(domain) }
        let schedule = rule?.schedule ?? self.usual
        guard rule?.statesWaits != true, hasNextHop else { return schedule }
        return schedule.preceded(by: self.firstWaits)
    }
}
