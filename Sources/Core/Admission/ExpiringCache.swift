package import MailModel

/// Values with an end of life, bounded in number; a pure value that is told the time. When it is full, what was used
/// longest ago goes.
package struct ExpiringCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    package typealias Instant = MonotonicInstant

    private struct Entry {
        let value: Value
        let expiry: Instant
    }

    private let maximumEntries: Int
    private var entries: [Key: Entry] = [:]
    private var order = AgeOrder<Key>()

    /// An empty cache for at most so many entries; none for 0.
    package init(maximumEntries: Int) { self.maximumEntries = maximumEntries }

    /// The number of entries, expired ones that nobody asked for since included.
    package var count: Int { self.entries.count }

    /// The value of `key`, if it is alive at `now`.
    package mutating func value(of key: Key, at now: Instant) -> Value? {
        guard let entry = self.entries[key] else { return nil }
        guard now < entry.expiry else {
            self.remove(key)
            return nil
        }
        self.order.touch(key)
        return entry.value
    }

    /// When the value of `key` ends, if there is one.
    package func expiry(of key: Key) -> Instant? { self.entries[key]?.expiry }

    /// Keeps a value until `expiry`.
    package mutating func store(_ value: Value, of key: Key, until expiry: Instant) {
        guard self.maximumEntries > 0 else { return }
        if self.entries[key] == nil {
            while self.entries.count >= self.maximumEntries, let oldest = self.order.takeOldest() {
                self.entries[oldest] = nil
            }
        }
        self.entries[key] = Entry(value: value, expiry: expiry)
        self.order.touch(key)
    }

    /// Forgets a value.
    package mutating func remove(_ key: Key) {
        self.entries[key] = nil
        self.order.remove(key)
    }
}
