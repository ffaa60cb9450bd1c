import MailModel
import QueueStore
import Testing

@testable import DatabaseHealth

@Suite("Old snapshots")
struct SnapshotWatchTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func slot(_ horizon: String) -> SnapshotView {
        .oldest(OldestSnapshot(kind: .replicationSlot, holder: "gone", horizon: horizon, age: nil))
    }

    @Test("hostile-input 34: a transaction that is too old is told of once, again after a while, and when it is over")
    func transaction() {
        var watch = SnapshotWatch(limit: .seconds(300))
        func open(_ age: Duration) -> OldestSnapshot {
            OldestSnapshot(kind: .transaction, holder: "process 7", horizon: "100", age: age)
        }
        #expect(watch.observed(.oldest(open(.seconds(299))), at: self.start) == nil)
        let old = open(.seconds(3600))
        #expect(watch.observed(.oldest(old), at: self.start + .seconds(1)) == .tooOld(old, .seconds(3600)))
        #expect(watch.age == .seconds(3600))
        #expect(watch.observed(.oldest(old), at: self.start + .seconds(2)) == nil)
        #expect(watch.observed(.oldest(old), at: self.start + .seconds(601)) != nil)
        #expect(watch.observed(.none, at: self.start + .seconds(602)) == .over)
        #expect(watch.age == .zero)
        #expect(watch.observed(.none, at: self.start + .seconds(603)) == nil)
    }

    @Test("Of a slot without a time it counts for how long it has stood still")
    func slot() {
        var watch = SnapshotWatch(limit: .seconds(60))
        #expect(watch.observed(self.slot("100"), at: self.start) == nil)
        #expect(watch.observed(self.slot("101"), at: self.start + .seconds(50)) == nil)
        #expect(watch.observed(self.slot("101"), at: self.start + .seconds(109)) == nil)
        #expect(watch.observed(self.slot("101"), at: self.start + .seconds(110)) != nil)
    }

    @Test("That nothing can be seen is told once")
    func hidden() {
        var watch = SnapshotWatch(limit: .seconds(60))
        #expect(watch.observed(.hidden, at: self.start) == .hidden)
        #expect(watch.observed(.hidden, at: self.start + .seconds(1)) == nil)
    }
}
