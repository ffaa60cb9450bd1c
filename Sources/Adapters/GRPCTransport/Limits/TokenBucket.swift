import NIOCore

/// An allowance of so many at once and so many a second.
package struct Allowance: Hashable, Sendable {
    package var burst: Int
    package var perSecond: Double

    package init(burst: Int, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// What is left of an allowance at a moment, which the caller tells.
struct TokenBucket: Hashable, Sendable {
    let allowance: Allowance
    private var tokens: Double
    /// What was given beside the allowance.
    private var credit = 0.0
    private var filledAt: NIODeadline

    init(_ allowance: Allowance, at now: NIODeadline) {
        self.allowance = allowance
        self.tokens = Double(allowance.burst)
        self.filledAt = now
    }

    /// Takes one; `false` if none is left.
    mutating func take(at now: NIODeadline) -> Bool {
        let elapsed = Double(max(0, (now - self.filledAt).nanoseconds)) / 1e9
        self.filledAt = max(now, self.filledAt)
        self.tokens = min(Double(self.allowance.burst), self.tokens + elapsed * self.allowance.perSecond)
        if self.tokens >= 1 {
            self.tokens -= 1
        } else if self.credit >= 1 {
            self.credit -= 1
        } else {
            return false
        }
        return true
    }

    /// Gives some beside the allowance. What they are for may come much later, so a hundred thousand are kept.
    mutating func give(_ count: Double) { self.credit = min(100_000, self.credit + count) }
}
