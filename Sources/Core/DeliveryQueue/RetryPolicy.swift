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
    private let nextHops: Set<DomainName>
    private let firstWaits: [Duration]

    /// Of several rules for a domain, the first counts.
    ///
    /// - Parameters:
    ///   - nextHops: domains whose next hop is configured. A host that was restarted is soon back.
    ///   - firstWaits: come before the usual waits for these.
    public init(
        _ usual: RetrySchedule = .standard, rules: [Rule] = [], nextHops: Set<DomainName> = [],
        firstWaits: [Duration] = []
    ) {
        self.usual = usual
        self.rules = rules
        self.nextHops = nextHops
        self.firstWaits = firstWaits
    }

    /// What holds for mail to a domain.
    public subscript(domain: DomainName) -> RetrySchedule {
        let rule = self.rules.first { $0.pattern.matches(domain) }
        let schedule = rule?.schedule ?? self.usual
        guard rule?.statesWaits != true, self.nextHops.contains(domain) else { return schedule }
        return schedule.preceded(by: self.firstWaits)
    }
}
