package import MailModel

/// How many bytes of bodies on their way in the database holds for this node, in all copies; a pure value.
///
/// They count for no other limit until their message is published. Half of the budget is for those who may relay alone.
/// Strangers, and reports without a sender, share the other half. One client gets no more of that than it leaves free.
/// What is removed counts for a while yet, since its space is free only after a vacuum.
package struct StagingState: Hashable, Sendable {
    /// Whose bytes they are.
    package struct Owner: Hashable, Sendable {
        package let client: IPAddress
        /// Of the half for strangers.
        package let isRestricted: Bool

        /// Bytes of this client.
        package init(client: IPAddress, isRestricted: Bool) {
            self.client = client
            self.isRestricted = isRestricted
        }
    }

    private struct Removal: Hashable {
        let owner: Owner
        let bytes: Int
        let isFree: MonotonicInstant
    }

    /// A minute passes between two vacuums, unless the server is set otherwise, and that of a large table takes time.
    package static let vacuumTime = Duration.seconds(120)

    /// Bytes in all; 0 is without limit.
    package let limit: Int
    /// Bytes of all owners.
    package private(set) var held = 0
    /// Those of the half for strangers.
    package private(set) var heldByStrangers = 0
    private var clients: [IPAddress: Int] = [:]
    /// In the order in which they become free; as many as there were bodies removed within `vacuumTime`, and their bytes are
    /// within the limit.
    private var removals: [Removal] = []

    package init(limit: Int) { self.limit = limit }

    /// The most bytes of one message, in all copies, that fit while nobody else stages any; 0 is without limit. A
    /// stranger leaves free as much as it takes of its half.
    package static func most(of limit: Int, isRestricted: Bool) -> Int { isRestricted ? limit / 4 : limit }

    /// Frees what a vacuum has given back by now.
    package mutating func reclaim(at now: MonotonicInstant) {
        let free = self.removals.prefix { $0.isFree <= now }
        guard !free.isEmpty else { return }
        for removal in free { self.giveBack(removal.bytes, of: removal.owner) }
        self.removals.removeFirst(free.count)
    }

    /// Reserves as many bytes more, if they fit.
    package mutating func take(_ bytes: Int, for owner: Owner, at now: MonotonicInstant) -> Bool {
        guard self.limit > 0 else { return true }
        self.reclaim(at: now)
        guard bytes > 0 else { return true }
        guard bytes <= self.limit - self.held else { return false }
        if owner.isRestricted {
            let free = self.limit / 2 - self.heldByStrangers - bytes
            guard free >= 0, self.clients[owner.client, default: 0] <= free else { return false }
            self.heldByStrangers += bytes
            self.clients[owner.client, default: 0] += bytes
        }
        self.held += bytes
        return true
    }

    /// The message is published, and its bytes count as the queue's.
    package mutating func published(_ bytes: Int, of owner: Owner) {
        if self.limit > 0 { self.giveBack(bytes, of: owner) }
    }

    /// The bytes are removed from the database.
    package mutating func removed(_ bytes: Int, of owner: Owner, at now: MonotonicInstant) {
        guard self.limit > 0, bytes > 0 else { return }
        self.removals.append(Removal(owner: owner, bytes: bytes, isFree: now + Self.vacuumTime))
    }

    private mutating func giveBack(_ bytes: Int, of owner: Owner) {
        self.held -= bytes
        guard owner.isRestricted else { return }
        self.heldByStrangers -= bytes
        let left = self.clients[owner.client, default: 0] - bytes
        self.clients[owner.client] = left > 0 ? left : nil
    }
}
