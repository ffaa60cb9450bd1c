/// A number of slots shared among many who may hold several each: decisions only.
///
/// Whoever holds some may take one more only while more are free than that, and more than a quarter of all. That
/// quarter is for those who have none. Some hold theirs for long, such as hosts that answer slowly. They take all only
/// where there are as many of them as that quarter has slots. What is given back goes to who has the fewest.
public struct FairShares<Key: Hashable & Sendable>: Sendable {
    private var free: Int
    private var held: [Key: Int] = [:]
    private let leavesReserve: Bool
    /// Slots that are for those who hold none.
    private let reserve: Int

    /// - Parameter leavesReserve: `false` lets anybody take the last slot too.
    public init(_ slots: Int, leavesReserve: Bool = true) {
        self.free = slots
        self.leavesReserve = leavesReserve
        self.reserve = slots / 4
    }

    /// How many it holds.
    public func count(of key: Key) -> Int { self.held[key, default: 0] }

    /// Whether somebody who holds none may take one.
    public var hasFree: Bool { self.free > 0 }

    /// Whether it may take one more.
    public func allows(_ key: Key) -> Bool {
        let count = self.count(of: key)
        return self.free > (self.leavesReserve && count > 0 ? max(count, self.reserve) : 0)
    }

    /// Takes a slot; `false` when it may not.
    public mutating func take(_ key: Key) -> Bool {
        guard self.allows(key) else { return false }
        self.free -= 1
        self.held[key, default: 0] += 1
        return true
    }

    /// Gives a slot back.
    public mutating func giveBack(_ key: Key) {
        guard let count = self.held[key] else { return }
        self.held[key] = count > 1 ? count - 1 : nil
        self.free += 1
    }
}
