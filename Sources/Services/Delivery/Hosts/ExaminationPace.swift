import MailModel
import Routing

/// When a resolver is to be examined; a pure value that is told the time.
///
/// One that works is examined now and then. The first failed look-up makes another examination due at once, and so do
/// failures of several domains. Those of a few come at growing distances, since a domain in disorder must not keep the
/// root busy.
struct ExaminationPace {
    typealias Instant = MonotonicInstant

    /// How often a resolver is examined that works, and about which nobody has doubts.
    static let usual = Duration.seconds(30)
    /// The least time between two that failures bring, and between those of a resolver that does not work.
    static let soonest = Duration.seconds(1)
    /// So many distinct domains that fail since the last examination are news, if fewer look-ups went well. After each
    /// examination that failures brought in vain it takes twice as many.
    static let fewDomains = 3
    private static let mostDomains = 48

    private var last: (began: Instant, isValidating: Bool)?
    private var wait = Duration.zero
    private var failed: Set<NextHop> = []
    private var succeeded = 0
    private var needed = Self.fewDomains

    /// Whether an examination is due, with or without a failure in hand.
    func isDue(_ hasFailed: Bool, at now: Instant) -> Bool {
        guard let last else { return true }
        let age = now - last.began
        guard last.isValidating else { return age >= Self.soonest }
        guard hasFailed else { return age >= Self.usual }
        let jumps = self.failed.count >= self.needed && self.failed.count > self.succeeded
        return age >= (jumps ? min(self.wait, Self.soonest) : self.wait)
    }

    /// A look-up for a domain failed, for which we may be to blame.
    mutating func failed(_ domain: NextHop) {
        if self.failed.count < Self.mostDomains { self.failed.insert(domain) }
    }

    /// A look-up went well.
    mutating func noteSuccess() { self.succeeded += 1 }

    /// An examination that began at this moment has ended.
    mutating func examined(_ isValidating: Bool, began: Instant, byFailure: Bool) {
        self.last = (began, isValidating)
        self.failed = []
        self.succeeded = 0
        if isValidating, byFailure {
            self.wait = min(max(self.wait * 2, Self.soonest), Self.usual)
            self.needed = min(self.needed * 2, Self.mostDomains)
        } else {
            // After a quiet half minute, or a fault of ours, the next failure is news.
            self.wait = .zero
            self.needed = Self.fewDomains
        }
    }
}
