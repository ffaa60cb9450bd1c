import ClusterModel
import LabSupport
import Testing

/// Both machines of a stream against each other. A failure prints the seed of its world.
@Suite("Streams between replicas and a node, at random")
struct WatchSimulationTests {
    private static let seeds = (0..<400).map { _ in UInt64.random(in: 0...UInt64.max) }

    @Test("control 1, 2, 3, 4, 5: whatever happens to streams, a node ends with the latest state, and never goes back")
    func convergence() {
        var counts: [String: Int] = [:]
        for seed in Self.seeds {
            var world = WatchWorld(seed: seed)
            for _ in 0..<400 { world.step() }
            world.settle()
            #expect(world.broken.prefix(3) == [], "seed \(seed)")
            #expect(world.node.version == world.latest.version, "seed \(seed)")
            #expect(world.node.held == world.latest.versions, "seed \(seed)")
            counts.merge(world.counts, uniquingKeysWith: +)
        }
        // A world in which one of these never happens would show nothing about it.
        let expected: Set = [
            "stream lost", "parts lost", "answers lost", "sent elsewhere", "stale nonce", "catch-up", "nothing read",
            "refusal", "not at the base", "older state offered", "late application", "everything applied",
            "difference applied",
        ]
        #expect(expected.subtracting(counts.keys) == [])
    }
}
