import DeliveryQueue
import Synchronization
import Testing

@Suite("A line for slots shared among many")
struct FairLineTests {
    @Test("The next has the fewest, and of equals waited longest; who may take none is passed over")
    func order() {
        var line = FairLine<String>(4)
        for name in ["a", "a", "b"] { _ = line.take(name) }
        for (id, name) in ["a", "b"].enumerated() { line.append(UInt64(id), for: name) }
        let first = line.giveBack("b")
        #expect(first == [1], "who has none comes before who has two")
        let isTaken = line.take("e")
        #expect(isTaken)
        for (id, name) in ["c", "d"].enumerated() { line.append(UInt64(id + 2), for: name) }
        let second = line.giveBack("a")
        #expect(second == [2], "who came first of those that have none")
        #expect(line.count == 2)
    }

    @Test("Who leaves the line is not called, wherever it stood")
    func leaving() {
        var line = FairLine<Int>(1, leavesReserve: false)
        _ = line.take(0)
        for id in 0..<6 { line.append(UInt64(id), for: 1 + id % 2) }
        let leave = [(0, 1), (4, 1), (5, 2), (4, 1), (1, 1)].map { line.remove($0.0, for: $0.1) }
        #expect(leave == [true, true, true, false, false], "the last two do not wait under that key")
        let called = [0, 2, 1, 2].map { line.giveBack($0) }
        #expect(called == [[1], [2], [3], []])
        #expect(line.count == 0)
    }

    @Test("It calls the same as a look at all who wait would", arguments: 0..<200 as Range<UInt64>)
    func sameAsLook(seed: UInt64) {
        var chance = Chance(seed)
        let (slots, leavesReserve) = (1 + chance.below(12), chance.below(2) == 0)
        var line = FairLine<Int>(slots, leavesReserve: leavesReserve)
        var look = LookAtAll<Int>(slots, leavesReserve: leavesReserve)
        for id in 0..<400 as Range<UInt64> {
            let key = chance.below(7)
            switch chance.below(8) {
            case 0..<4:
                let (isTaken, isTakenByLook) = (line.take(key), look.shares.take(key))
                #expect(isTaken == isTakenByLook)
                guard !isTaken else { continue }
                line.append(id, for: key)
                look.waiting.append((id, key))
            case 4 where !look.waiting.isEmpty:
                let (id, key) = look.waiting.remove(at: chance.below(look.waiting.count))
                let hasLeft = line.remove(id, for: key)
                #expect(hasLeft)
            default:
                guard look.shares.count(of: key) > 0 else { continue }
                let (admitted, admittedByLook) = (line.giveBack(key), look.giveBack(key))
                #expect(admitted == admittedByLook)
            }
            #expect(line.count == look.waiting.count)
        }
    }

    @Test("A slot that is given back asks about few keys, however many wait")
    func work() {
        var line = FairLine<CountedKey>(1000)
        var look = LookAtAll<CountedKey>(1000)
        // The last quarter is for those who hold none.
        let keys = (0..<750).map { CountedKey(number: $0) }
        for key in keys {
            let isTaken = line.take(key) && look.shares.take(key)
            #expect(isTaken)
        }
        for id in 0..<9000 {
            line.append(UInt64(id), for: keys[id % keys.count])
            look.waiting.append((UInt64(id), keys[id % keys.count]))
        }
        var admitted: Set<Int> = []
        let byLine = CountedKey.hashes { for key in keys { admitted.insert(line.giveBack(key).count) } } / keys.count
        let byLook = CountedKey.hashes { admitted.insert(look.giveBack(keys[0]).count) }
        #expect(admitted == [1])
        print("one slot given back while 9000 wait: \(byLine) keys hashed; \(byLook) by a look at all")
        #expect(byLine < 60)
    }
}

/// Counts how often keys are looked up.
private struct CountedKey: Hashable {
    private static let count = Atomic<Int>(0)

    let number: Int

    func hash(into hasher: inout Hasher) {
        Self.count.wrappingAdd(1, ordering: .relaxed)
        hasher.combine(self.number)
    }

    /// How often that happens meanwhile.
    static func hashes(in body: () -> Void) -> Int {
        let before = self.count.load(ordering: .relaxed)
        body()
        return self.count.load(ordering: .relaxed) - before
    }
}

/// The same choices for the same seed.
private struct Chance {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func below(_ bound: Int) -> Int {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
}

/// The rule itself: a look at all who wait, in the order in which they came.
private struct LookAtAll<Key: Hashable & Sendable> {
    var shares: FairShares<Key>
    var waiting: [(id: UInt64, key: Key)] = []

    init(_ slots: Int, leavesReserve: Bool = true) { self.shares = FairShares(slots, leavesReserve: leavesReserve) }

    private var next: Int? {
        var best: (position: Int, count: Int)?
        for (position, waiter) in self.waiting.enumerated() where self.shares.allows(waiter.key) {
            let count = self.shares.count(of: waiter.key)
            if count < best?.count ?? .max { best = (position, count) }
            if count == 0 { break }
        }
        return best?.position
    }

    mutating func giveBack(_ key: Key) -> [UInt64] {
        self.shares.giveBack(key)
        var admitted: [UInt64] = []
        while let next = self.next, self.shares.take(self.waiting[next].key) {
            admitted.append(self.waiting.remove(at: next).id)
        }
        return admitted
    }
}
