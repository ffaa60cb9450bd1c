public import MailModel

/// A limit on a rate: so many a minute, evenly spread, with at most a second's worth at once.
///
/// It keeps one moment and counts nothing. At the permitted rate, everything so far would have been taken one by one at
/// that moment.
public struct TokenBucket: Hashable, Sendable {
    private let interval: Duration
    private let tolerance: Duration
    private var paidUntil: MonotonicInstant

    /// A full bucket.
    ///
    /// - Parameter perMinute: the rate, at least 1.
    public init(perMinute: Int, at now: MonotonicInstant) {
        let rate = max(1, perMinute)
        self.interval = .seconds(60) / rate
        self.tolerance = self.interval * (max(1, rate / 60) - 1)
        self.paidUntil = now
    }

    /// Takes one; or, if there is none, takes nothing and says how long it is until there is.
    public mutating func take(at now: MonotonicInstant) -> Duration? {
        let wait = self.paidUntil - (now + self.tolerance)
        guard wait <= .zero else { return wait }
        self.paidUntil = max(self.paidUntil, now) + self.interval
        return nil
    }

    /// Whether it is as if nothing had ever been taken.
    public func isFull(at now: MonotonicInstant) -> Bool { self.paidUntil <= now }
}
