import MailModel

/// A limit of which half may be taken at once, and the rest one by one: decisions only.
///
/// Holders that all come at one moment all leave at one moment, and whoever comes in between waits for nearly as long as they stay.
/// Where each of the second half comes a pause after the one before it, there is always one that leaves soon.
struct PacedLimit: Hashable, Sendable {
    /// The most.
    let limit: Int
    /// So many may be taken at once.
    let burst: Int
    /// The time between two beyond that.
    let pause: Duration
    private(set) var count = 0
    private var last: MonotonicInstant?

    /// - Parameter stay: how long a holder may stay while others wait: the second half is taken in that time.
    init(_ limit: Int, stay: Duration) {
        self.limit = limit
        self.burst = max(1, limit / 2)
        self.pause = stay / max(1, limit - self.burst)
    }

    /// Whether one more may be taken.
    func allows(at now: MonotonicInstant) -> Bool {
        guard self.count >= self.burst else { return true }
        return self.count < self.limit && self.last.map { now >= $0 + self.pause } ?? true
    }

    /// One is taken.
    mutating func take(at now: MonotonicInstant) {
        if self.count >= self.burst { self.last = now }
        self.count += 1
    }

    /// One is given back.
    mutating func giveBack() { self.count -= 1 }
}
