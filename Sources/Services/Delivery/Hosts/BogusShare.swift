import DequeModule
import MailModel
import Routing

/// How many of the domains that were looked up lately were bogus; a pure value that is told the time.
///
/// One zone in disorder is its owner's fault. Most of them at once, signed and unsigned, are ours, or that of somebody above
/// them all: nothing is then held against a domain.
struct BogusShare {
    typealias Instant = MonotonicInstant

    /// So long a verdict counts.
    static let window = Duration.seconds(300)
    /// Below so many domains nothing can be said.
    static let leastDomains = 10
    /// So many are remembered; the oldest verdict gives way.
    static let mostDomains = 4_096

    private var verdicts: [NextHop: (isBogus: Bool, at: Instant)] = [:]
    /// The oldest first; those that are not of this moment any more are passed over.
    private var order: Deque<(domain: NextHop, at: Instant)> = []
    private var bogus = 0
    private var swept: Instant

    init(at now: Instant) { self.swept = now }

    /// A domain was looked up.
    mutating func note(_ domain: NextHop, isBogus: Bool, at now: Instant) {
        self.remove(domain)
        self.sweep(now)
        if self.verdicts.count >= Self.mostDomains { self.removeOldest() }
        self.verdicts[domain] = (isBogus, now)
        if isBogus { self.bogus += 1 }
        self.order.append((domain, now))
        guard self.order.count > 2 * Self.mostDomains else { return }
        let verdicts = self.verdicts
        self.order.removeAll { verdicts[$0.domain]?.at != $0.at }
    }

    /// Whether most of them are bogus.
    var isOurs: Bool { self.verdicts.count >= Self.leastDomains && self.bogus * 2 > self.verdicts.count }

    private mutating func remove(_ domain: NextHop) {
        if self.verdicts.removeValue(forKey: domain)?.isBogus == true { self.bogus -= 1 }
    }

    private mutating func removeOldest() {
        while let (domain, at) = self.order.popFirst() {
            if self.verdicts[domain]?.at == at { return self.remove(domain) }
        }
    }

    /// Forgets what is too old, every now and then.
    private mutating func sweep(_ now: Instant) {
        guard now - self.swept >= .seconds(5) else { return }
        self.swept = now
        for (domain, verdict) in self.verdicts where now - verdict.at > Self.window { self.remove(domain) }
    }
}
