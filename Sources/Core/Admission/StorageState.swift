/// What the queue holds, as the database's running sums tell.
package struct StorageUsage: Hashable, Sendable {
    /// Queue entries: one for each message and recipient domain.
    package var messages = 0
    /// Bytes of their messages.
    package var bytes = 0
    /// Bytes of the whole database on its disk; `nil` where nobody asked.
    package var databaseBytes: Int?

    /// So much is held.
    package init(messages: Int = 0, bytes: Int = 0, databaseBytes: Int? = nil) {
        self.messages = messages
        self.bytes = bytes
        self.databaseBytes = databaseBytes
    }
}

/// How full the queue may become; 0 is without limit.
package struct StorageLimits: Hashable, Sendable {
    package var messages = 0
    package var bytes = 0
    package var databaseBytes = 0

    /// Limits; none where nothing is said.
    package init(messages: Int = 0, bytes: Int = 0, databaseBytes: Int = 0) {
        self.messages = messages
        self.bytes = bytes
        self.databaseBytes = databaseBytes
    }

    /// Whether there is any limit.
    package var areSet: Bool { self != StorageLimits() }
}

/// Whether the queue has capacity for more mail; a pure value. It closes at a limit and opens again under nine tenths
/// of all of them, so that it does not flutter.
package struct StorageState: Hashable, Sendable {
    /// The limit that was reached.
    package enum Limit: String, Hashable, Sendable {
        case messages = "queue.max-messages"
        case bytes = "queue.max-bytes"
        case databaseBytes = "queue.max-database-size"
    }

    /// What an observation changed.
    package enum Change: Hashable {
        case none
        case closed(Limit)
        case opened
    }

    package let limits: StorageLimits
    package private(set) var usage = StorageUsage()
    /// The limit that closed it, while it is closed.
    package private(set) var reached: Limit?

    package init(_ limits: StorageLimits) { self.limits = limits }

    /// Takes what the database says now.
    package mutating func observed(_ usage: StorageUsage) -> Change {
        self.usage = usage
        let share = self.reached == nil ? 10 : 9
        let over = self.limit(overTenths: share)
        switch (self.reached, over) {
        case (nil, let limit?):
            self.reached = limit
            return .closed(limit)
        case (_?, nil):
            self.reached = nil
            return .opened
        case (nil, nil), (_?, _?):
            return .none
        }
    }

    /// Whether a message of so many bytes, if that is known, may come.
    ///
    /// Mail without a sender may fill half of the queue: nobody waits for it. Whoever is flooded with reports must
    /// still be able to write.
    package func hasCapacity(for size: Int?, hasSender: Bool = true) -> Bool {
        guard self.reached == nil, hasSender || self.limit(overTenths: 5) == nil else { return false }
        guard let size, self.limits.bytes > 0 else { return true }
        return size <= self.limits.bytes - self.usage.bytes
    }

    private func limit(overTenths share: Int) -> Limit? {
        func isOver(_ value: Int, _ limit: Int) -> Bool {
            limit > 0 && value >= limit / 10 * share + limit % 10 * share / 10
        }
        if isOver(self.usage.messages, self.limits.messages) { return .messages }
        if isOver(self.usage.bytes, self.limits.bytes) { return .bytes }
        return isOver(self.usage.databaseBytes ?? 0, self.limits.databaseBytes) ? .databaseBytes : nil
    }
}
