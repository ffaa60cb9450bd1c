import DequeModule
import HeapModule

/// A number of slots shared out by `FairShares`, and the line of those who wait for one: decisions only.
///
/// The next slot goes to who holds the fewest, and of equals to who has waited longest. However many wait, a slot that is given
/// back costs time in proportion to the logarithm of the keys that wait, on the average of many.
public struct FairLine<Key: Hashable & Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        /// Who came earlier has the smaller one.
        let arrival: UInt64
    }

    /// When it is a key's turn. It holds until the key's count or its first waiter changes.
    private struct Turn: Comparable {
        let count: Int
        let arrival: UInt64
        let key: Key

        static func < (left: Self, right: Self) -> Bool {
            (left.count, left.arrival) < (right.count, right.arrival)
        }

        static func == (left: Self, right: Self) -> Bool {
            (left.count, left.arrival) == (right.count, right.arrival)
        }
    }

    private var shares: FairShares<Key>
    /// Of each key that waits, those who came first are first; never empty.
    private var lines: [Key: Deque<Waiter>] = [:]
    /// A turn of each key that waits, and others that hold no longer. The first one holds.
    private var turns = Heap<Turn>()
    private var nextArrival: UInt64 = 0
    /// How many wait.
    public private(set) var count = 0

    /// - Parameter leavesReserve: see `FairShares`.
    public init(_ slots: Int, leavesReserve: Bool = true) {
        self.shares = FairShares(slots, leavesReserve: leavesReserve)
    }

    /// Takes a slot now; `false` when it may not, or not yet.
    public mutating func take(_ key: Key) -> Bool {
        guard self.shares.take(key) else { return false }
        self.renew(key)
        return true
    }

    /// Waits for a slot from now on. A number is used once.
    public mutating func append(_ id: UInt64, for key: Key) {
        self.lines[key, default: []].append(Waiter(id: id, arrival: self.nextArrival))
        self.nextArrival += 1
        self.count += 1
        if self.lines[key]?.count == 1 { self.renew(key) }
    }

    /// Waits no longer; `false` when it does not wait under this key. It looks at all who wait under that.
    public mutating func remove(_ id: UInt64, for key: Key) -> Bool {
        guard let position = self.lines[key]?.firstIndex(where: { $0.id == id }) else { return false }
        self.remove(at: position, for: key)
        return true
    }

    /// Gives a slot back. Those in line who may go on now have their slots.
    public mutating func giveBack(_ key: Key) -> [UInt64] {
        self.shares.giveBack(key)
        self.renew(key)
        var admitted: [UInt64] = []
        // Whoever is behind the first holds as many or more, and so may not go on before it.
        while let next = self.turns.min?.key, let first = self.lines[next]?.first, self.shares.take(next) {
            admitted.append(first.id)
            self.remove(at: 0, for: next)
        }
        return admitted
    }

    private mutating func remove(at position: Int, for key: Key) {
        self.lines[key]?.remove(at: position)
        self.count -= 1
        if self.lines[key]?.isEmpty == true { self.lines[key] = nil }
        self.renew(key)
    }

    /// What is known of a key's turn may have changed.
    private mutating func renew(_ key: Key) {
        if let turn = self.turn(of: key) { self.turns.insert(turn) }
        while let first = self.turns.min, self.turn(of: first.key) != first { self.turns.removeMin() }
        if self.turns.count > 2 * self.lines.count + 32 {
            self.turns = Heap(self.lines.keys.compactMap { self.turn(of: $0) })
        }
    }

    private func turn(of key: Key) -> Turn? {
        self.lines[key]?.first.map { Turn(count: self.shares.count(of: key), arrival: $0.arrival, key: key) }
    }
}
