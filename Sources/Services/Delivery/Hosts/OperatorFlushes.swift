import MailModel
import RouteLookup
import SecureResolver

/// What operators want looked up anew, and how often that may be: each time costs the resolver's child all that it knows.
///
/// It is a budget of its own. What strangers cause to be looked up anew (`FreshLookups`, `RenewedQuestions`) takes nothing of it.
struct OperatorFlushes {
    typealias Instant = MonotonicInstant

    /// So many at once,
    static let atOnce = 10
    /// and one more in each such time. What comes beyond waits, and is then done all at once.
    static let interval = Duration.seconds(10)

    private var outdated = OutdatedAnswers()
    private var routes: Set<DomainName> = []
    /// When, one by one, all that were done would have been done.
    private var paidUntil: Instant

    /// Nothing is wanted so far.
    init(at now: Instant) { self.paidUntil = now }

    /// These answers are wanted anew.
    mutating func add(_ outdated: OutdatedAnswers) { self.outdated.formUnion(outdated) }

    /// So is all that leads to the hosts of a domain.
    mutating func add(routeTo domain: DomainName) {
        self.routes.insert(domain)
        if self.routes.count > OutdatedAnswers.most {
            self.outdated = .everything
            self.routes = []
        }
    }

    /// What is to be done now; `nil` where nothing is, or not yet.
    mutating func take(at now: Instant) -> (outdated: OutdatedAnswers, routes: Set<DomainName>)? {
        guard !self.outdated.isEmpty || !self.routes.isEmpty,
            self.paidUntil <= now + Self.interval * (Self.atOnce - 1)
        else { return nil }
        self.paidUntil = max(self.paidUntil, now) + Self.interval
        defer { (self.outdated, self.routes) = (OutdatedAnswers(), []) }
        return (self.outdated, self.routes)
    }
}
