public import MailModel

/// Tells what has not changed for a while, by the clock that nobody sets.
///
/// When a lease ends is decided by the database's clock. Set back by an hour, that clock would let the lease of a node
/// that is gone last for an hour. But an owner renews, and each renewal changes the lease. If it has not changed for
/// the whole lifetime of a lease, it is over, whatever any clock says.
public struct StaleNodeDetector<Key: Hashable & Sendable, Value: Hashable & Sendable>: Sendable {
    private var seen: [Key: (value: Value, since: MonotonicInstant)] = [:]

    /// Nothing has been seen yet.
    public init() {}

    /// What was read before `now`. Gives those that have looked the same for so long. What is not seen is forgotten.
    public mutating func observed(
        _ values: [Key: Value], at now: MonotonicInstant, stillFor duration: Duration
    ) -> [Key: Value] {
        self.seen = Dictionary(
            uniqueKeysWithValues: values.map { key, value in
                let since = self.seen[key].flatMap { $0.value == value ? $0.since : nil }
                return (key, (value, since ?? now))
            })
        return values.filter { key, _ in self.seen[key].map { $0.since + duration <= now } ?? false }
    }
}
