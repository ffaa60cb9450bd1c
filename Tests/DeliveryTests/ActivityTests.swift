import ClusterModel
import LabPeers
import LabSupport
import MailModel
import QueueStore
import ShardLeases
import TestLiterals
import Testing

@testable import Delivery

@Suite("What a node says that it is busy with", .timeLimit(.minutes(2)))
struct ActivityTests {
    private static let start = Timestamp(seconds: 1_800_000_000)
    private static let term = ShardTerm(shard: Shard(rawValue: 1), epoch: Epoch(rawValue: 3))

    private static func key(_ number: UInt64) -> EntryKey {
        EntryKey(shard: Self.term.shard, message: MessageID(high: 1, low: number), domain: "bravo.test")
    }

    private static func attempt(_ number: UInt64, after seconds: Int) -> AttemptUnderWay {
        AttemptUnderWay(
            key: Self.key(number), epoch: Self.term.epoch, attempt: 1, began: Self.start + .seconds(seconds))
    }

    @Test("An attempt of a moment is not told; one that lasts is, with what it does")
    func moments() {
        var state = ActivityState()
        state.attempts[Self.key(1)] = Self.attempt(1, after: 0)
        #expect(state.snapshot(at: Self.start + .seconds(1)).underWay.isEmpty)
        #expect(state.snapshot(at: Self.start + .seconds(2)).underWay == [Self.attempt(1, after: 0)])
    }

    @Test("Of more than a thousand, those of the longest time are told")
    func bounded() {
        var state = ActivityState()
        for number in 0..<1500 {
            state.attempts[Self.key(UInt64(number))] = Self.attempt(UInt64(number), after: number)
        }
        let told = state.snapshot(at: Self.start + .seconds(5000)).underWay
        #expect(told.count == ActivityState.most)
        #expect(told.map(\.began).max() == Self.start + .seconds(999))
    }

    @Test("A rest after a rest is one; the resolver's recovery ends those that wait for it, and no others")
    func rests() {
        let table = ActivityTable()
        table.rests("bravo.test", in: Self.term, because: .resolver, at: Self.start)
        table.rests("bravo.test", in: Self.term, because: .resolver, at: Self.start + .seconds(10))
        table.rests("charlie.test", in: Self.term, because: .network, at: Self.start)
        let later = Self.start + .seconds(60)
        let told = table.snapshot(at: later).resting.sorted { $0.domain.text < $1.domain.text }
        #expect(told.map(\.reason) == ["resolver", "network"])
        #expect(told.first?.began == Self.start)
        table.resolverWorks()
        #expect(table.snapshot(at: later).resting.map(\.reason) == ["network"])
        table.works("charlie.test", in: Self.term)
        #expect(table.snapshot(at: later).resting.isEmpty)
    }

    @Test("No more destinations than the limit are known to rest")
    func restingLimit() {
        var state = ActivityState()
        for number in 0..<ActivityState.mostResting + 5 {
            state.rests("d\(number).test", in: Self.term, because: .resolver, at: Self.start)
        }
        #expect(state.resting.count == ActivityState.mostResting)
    }

    @Test("An attempt at a host that hangs is known with that host, until it is over")
    func hangingHost() async throws {
        try await ScriptedPeer.with([.on(.greeting, .wait(.seconds(3)), .proceed)]) { peer in
            try await DeliveryFixture.run([("bravo.test", peer)]) { queue in
                let id = try await queue.enqueue(to: "bravo.test")
                let destination = try queue.destination("bravo.test")
                let activity = queue.parts.activity
                await withTaskGroup { group in
                    group.addTask { await destination.run() }
                    let hour = queue.parts.clock.now + .seconds(3600)
                    #expect(await eventually { activity.snapshot(at: hour).underWay.first?.stage == .host })
                    let told = activity.snapshot(at: hour).underWay
                    #expect(told.map(\.key.message) == [id])
                    #expect(told.first?.host?.hasSuffix("[\(peer.address)]") == true)
                    #expect(await peer.wait(within: .seconds(60)) { $0.messageCount == 1 })
                    await group.waitForAll()
                }
                #expect(activity.snapshot(at: queue.parts.clock.now + .seconds(3600)) == ActivitySnapshot())
            }
        }
    }

    @Test(
        "Counting takes no more than a twentieth of the time", arguments: [(0, 5), (200, 5), (1000, 20), (9000, 180)])
    func pace(milliseconds: Int, seconds: Int) {
        #expect(CountPace.pause(after: .milliseconds(milliseconds)) == .seconds(seconds))
    }
}
