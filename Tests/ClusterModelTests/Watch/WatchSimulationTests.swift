import ClusterModel
import LabSupport
import Testing

/// Both machines of a stream against each other. A failure prints the seed of its world.
@Suite("Streams between replicas and a node, at random")
struct WatchSimulationTests {
    @Test("control 1, 2, 3, 4, 5: whatever happens to streams, a node ends with the latest state, and never goes back")
    func convergence() {
        for _ in 0..<150 { _ = self.run(seed: UInt64.random(in: 0...UInt64.max)) }
    }

    @Test("The worlds of the first seeds have everything in them that can happen")
    func coverage() {
        var counts: [String: Int] = [:]
        for seed in 0..<100 as Range<UInt64> { counts.merge(self.run(seed: seed).counts, uniquingKeysWith: +) }
        let expected: Set = [
            "stream lost", "parts lost", "answers lost", "sent elsewhere", "stale nonce", "catch-up", "nothing read",
            "refusal", "not at the base", "older state offered", "late application", "everything applied",
            "difference applied",
        ]
        #expect(expected.subtracting(counts.keys) == [])
    }

    private func run(seed: UInt64) -> WatchWorld {
        var world = WatchWorld(seed: seed)
        for _ in 0..<400 { world.step() }
        world.settle()
        #expect(world.broken.prefix(3) == [], "seed \(seed)")
        #expect(world.node.version == world.latest.version, "seed \(seed)")
        #expect(world.node.held == world.latest.versions, "seed \(seed)")
        return world
    }
}
