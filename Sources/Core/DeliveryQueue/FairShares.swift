/// A number of places shared among many who may hold several each: decisions only.
///
/// Whoever holds some may take one more only while more are free than that. So those who keep theirs for long, such as hosts that
/// answer slowly, never have all of them: who has none yet finds one. What is given back goes to who has the fewest.
public struct FairShares<Key: Hashable & Sendable>: Sendable {
    private var free: Int
    private var held: [Key: Int] = [:]
    private let leavesRoom: Bool

    /// - Parameter leavesRoom: `false` lets anybody take the last place too.
    public init(_ places: Int, leavesRoom: Bool = true) {
        self.free = places
        self.leavesRoom = leavesRoom
    }

    /// How many it holds.
    public func count(of key: Key) -> Int { self.held[key, default: 0] }

    /// Whether it may take one more.
    public func allows(_ key: Key) -> Bool { self.free > (self.leavesRoom ? self.count(of: key) : 0) }

    /// Takes a place; `false` when it may not.
    public mutating func take(_ key: Key) -> Bool {
        guard self.allows(key) else { return false }
        self.free -= 1
        self.held[key, default: 0] += 1
        return true
    }

    /// Gives a place back.
    public mutating func giveBack(_ key: Key) {
        guard let count = self.held[key] else { return }
        self.held[key] = count > 1 ? count - 1 : nil
        self.free += 1
    }

    /// Which of those in line is next: who has the fewest, and of equals who has waited longest; `nil` when none may take any.
    public func next(of line: some Collection<Key>) -> Int? {
        var best: (position: Int, count: Int)?
        for (position, key) in line.enumerated() where self.allows(key) {
            let count = self.count(of: key)
            if count < best?.count ?? .max { best = (position, count) }
            if count == 0 { break }
        }
        return best?.position
    }
}
