/// When a resolver is to be examined; a pure value that is told the time.
///
/// One that works is examined now and then. A failed look-up makes another examination due, soon where nothing succeeds any
/// more, and later each time where examinations find nothing: one domain in disorder must not keep the root busy.
struct ExaminationPace {
    typealias Instant = ContinuousClock.Instant

    /// How often a resolver is examined that works, and about which nobody has doubts.
    static let usual = Duration.seconds(30)
    /// How soon after the last one a failure may bring the next.
    static let soonest = Duration.seconds(1)

    private var last: (began: Instant, isValidating: Bool)?
    private var wait = Self.soonest

    /// Whether an examination is due, with or without a failure in hand.
    func isDue(_ hasFailed: Bool, at now: Instant) -> Bool {
        guard let last else { return true }
        let age = now - last.began
        return age >= (last.isValidating ? (hasFailed ? self.wait : Self.usual) : Self.soonest)
    }

    /// An examination that began at this moment has ended.
    mutating func examined(_ isValidating: Bool, began: Instant, byFailure: Bool) {
        self.last = (began, isValidating)
        if !isValidating { self.wait = Self.soonest } else if byFailure { self.wait = min(self.wait * 2, Self.usual) }
    }

    /// A look-up went well: the next failure is news.
    mutating func succeeded(at now: Instant) {
        // Not while failures come too: the share must change, not a single answer.
        guard let last, now - last.began >= Self.usual else { return }
        self.wait = Self.soonest
    }
}
