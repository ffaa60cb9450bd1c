import ClusterModel
import Testing

@Suite("Differences of states")
struct StateDifferenceTests {
    private static func domain(_ name: String) -> ResourceKey { ResourceKey(type: .domain, name: name) }

    @Test("control 3: what has another version is changed, and what is not there any more is removed")
    func difference() {
        let held = [Self.domain("a"): UInt64(1), Self.domain("b"): 2, Self.domain("c"): 3]
        let current = [Self.domain("a"): UInt64(1), Self.domain("b"): 5, Self.domain("d"): 4]
        let difference = StateDifference(from: held, to: current)
        #expect(difference.changed == [Self.domain("b"), Self.domain("d")])
        #expect(difference.removed == [Self.domain("c")])
        #expect(!difference.isEmpty)
        #expect(StateDifference(from: held, to: held).isEmpty)
    }

    @Test("control 3: without anything held, everything is changed, by type and name")
    func everything() {
        let keys = [
            Self.domain("a"), Self.domain("b"), ResourceKey(type: .user, name: "a"),
            ResourceKey(type: .settings, name: "fleet"),
        ]
        let current = Dictionary(uniqueKeysWithValues: keys.shuffled().map { ($0, UInt64(7)) })
        #expect(StateDifference(from: [:], to: current).changed == keys)
        #expect(StateDifference(from: current, to: [:]).removed == keys)
    }

    @Test("Names that look the same and differ in bytes are two names")
    func namesAreBytes() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed)
        let keys = Set([composed, decomposed].map { ResourceKey(type: .user, name: $0) })
        #expect(keys.count == 2)
        #expect(keys.sorted().map(\.name.utf8.count) == [6, 5])
    }
}
