/// Values with an end of life, bounded in number; a pure value that is told the time. When it is full, what was used
/// longest ago goes.
package struct ExpiringCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private struct Entry {
        let value: Value
        let expiry: Instant
        var serial: UInt64
    }

    private let maximumEntries: Int
    private var entries: [Key: Entry] = [:]
    /// What was used when, longest ago first; a later use leaves a stale line, known by its serial.
    private var order: [(key: Key, serial: UInt64)] = []
    private var oldest = 0
    private var nextSerial: UInt64 = 0

    /// An empty cache for at most so many entries; none for 0.
    package init(maximumEntries: Int) { self.maximumEntries = maximumEntries }

    /// The number of entries, expired ones that nobody asked for since included.
    package var count: Int { self.entries.count }

    /// The value of `key`, if it is alive at `now`.
    package mutating func value(of key: Key, at now: Instant) -> Value? {
        guard let entry = self.entries[key] else { return nil }
        guard now < entry.expiry else {
            self.entries[key] = nil
            return nil
        }
        self.use(key)
        return entry.value
    }

    /// When the value of `key` ends, if there is one.
    package func expiry(of key: Key) -> Instant? { self.entries[key]?.expiry }

    /// Keeps a value until `expiry`.
    package mutating func store(_ value: Value, of key: Key, until expiry: Instant) {
        guard self.maximumEntries > 0 else { return }
        if self.entries[key] == nil {
            while self.entries.count >= self.maximumEntries { self.evictOldest() }
        }
        self.entries[key] = Entry(value: value, expiry: expiry, serial: 0)
        self.use(key)
    }

    /// Forgets a value.
    package mutating func remove(_ key: Key) { self.entries[key] = nil }

    private mutating func use(_ key: Key) {
        self.nextSerial += 1
        self.entries[key]?.serial = self.nextSerial
        self.order.append((key, self.nextSerial))
        self.compact()
    }

    private mutating func evictOldest() {
        let line = self.order[self.oldest]
        self.oldest += 1
        if self.entries[line.key]?.serial == line.serial { self.entries[line.key] = nil }
    }

    /// Drops stale lines once they are the greater part, which costs a constant per use on the average.
    private mutating func compact() {
        guard self.order.count > 2 * self.entries.count + 64 else { return }
        let live = self.entries
        self.order = self.order[self.oldest...].filter { live[$0.key]?.serial == $0.serial }
        self.oldest = 0
    }
}
