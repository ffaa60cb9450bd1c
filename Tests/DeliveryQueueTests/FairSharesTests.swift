import DeliveryQueue
import Testing

@Suite("Slots shared among many")
struct FairSharesTests {
    @Test("However many want however much, who has none finds a slot")
    func slotsForNewcomers() {
        var shares = FairShares<Int>(200)
        for _ in 0..<20 {
            for slow in 0..<50 { _ = shares.take(slow) }
        }
        let held = (0..<50).map { shares.count(of: $0) }
        #expect(held.allSatisfy { (3...4).contains($0) }, "\(held)")
        let newcomers = [shares.take(50), shares.take(51)]
        #expect(newcomers == [true, true])
    }

    @Test("Fifty that take all they can get, one after the other, leave slots too")
    func slotsBehindTheGreedy() {
        var shares = FairShares<Int>(200)
        for greedy in 0..<50 {
            for _ in 0..<20 { _ = shares.take(greedy) }
        }
        let held = (0..<50).map { shares.count(of: $0) }
        #expect(held[0] == 20)
        #expect(held.allSatisfy { $0 >= 1 }, "\(held)")
        #expect(held.reduce(0, +) > 150, "\(held)")
        let newcomer = shares.take(50)
        #expect(newcomer)
    }

    @Test("One alone gets half of them, and what is given back may be taken again")
    func alone() {
        var shares = FairShares<Int>(10)
        while shares.take(1) {}
        #expect(shares.count(of: 1) == 5)
        for _ in 0..<5 { shares.giveBack(1) }
        while shares.take(2) {}
        #expect(shares.count(of: 2) == 5)
    }

    @Test("Where no reserve is left for others the last slot may be taken too")
    func withoutReserve() {
        var shares = FairShares<Int>(3, leavesReserve: false)
        while shares.take(1) {}
        #expect(shares.count(of: 1) == 3)
        #expect(!shares.allows(2))
    }

    @Test("A single slot goes to one after the other")
    func single() {
        var shares = FairShares<Int>(1)
        let first = shares.take(1)
        #expect(first && !shares.allows(1) && !shares.allows(2))
        shares.giveBack(1)
        let second = shares.take(2)
        #expect(second)
    }
}
