/// Keys in the order in which they were last named, the oldest first: what a bounded cache forgets first. Naming a key costs a
/// constant on average.
package struct AgeOrder<Key: Hashable & Sendable>: Sendable {
    private var serials: [Key: UInt64] = [:]
    /// What was named when, longest ago first. A key that was named later leaves a stale line, known by its serial.
    private var lines: [(key: Key, serial: UInt64)] = []
    private var oldest = 0
    private var nextSerial: UInt64 = 0

    /// No keys.
    package init() {}

    /// A key becomes the youngest.
    package mutating func touch(_ key: Key) {
        self.nextSerial += 1
        self.serials[key] = self.nextSerial
        self.lines.append((key, self.nextSerial))
        self.compact()
    }

    /// Forgets a key.
    package mutating func remove(_ key: Key) { self.serials[key] = nil }

    /// Forgets the oldest key, and gives it; `nil` when there is none.
    package mutating func takeOldest() -> Key? {
        while self.oldest < self.lines.count {
            let line = self.lines[self.oldest]
            self.oldest += 1
            guard self.serials[line.key] == line.serial else { continue }
            self.serials[line.key] = nil
            return line.key
        }
        return nil
    }

    /// Drops stale lines once they are the greater part.
    private mutating func compact() {
        guard self.lines.count > 2 * self.serials.count + 64 else { return }
        let serials = self.serials
        self.lines = self.lines[self.oldest...].filter { serials[$0.key] == $0.serial }
        self.oldest = 0
    }
}
