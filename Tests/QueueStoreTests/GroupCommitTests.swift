import LabSupport
import QueueStore
import Synchronization
import Testing

@Suite("Many callers, few batches", .timeLimit(.minutes(3)))
struct GroupCommitTests {
    @Test("What comes while a batch is under way becomes the next, in order, and each caller gets its own output")
    func batches() async {
        let work = HeldWork()
        let outputs = await work.run(limits: .init(batchCount: 3, inFlight: 1, waitingCount: 10), items: 0..<6)
        #expect(outputs == (0..<6).map { $0 * 10 })
        #expect(work.batches == [[0], [1, 2, 3], [4, 5]])
    }

    @Test("A batch ends before the item that costs too much, and a dearer one is a batch by itself")
    func cost() async {
        let work = HeldWork()
        let limits = HeldWork.Group.Limits(batchCount: 10, batchCost: 5, inFlight: 1, waitingCount: 10)
        _ = await work.run(limits: limits, items: 0..<8)
        #expect(work.batches == [[0], [1, 2], [3], [4], [5], [6], [7]])
    }

    @Test("The item beyond the count that may wait is refused at once")
    func tooMany() async {
        let work = HeldWork()
        let outputs = await work.run(limits: .init(batchCount: 10, inFlight: 1, waitingCount: 2), items: 0..<5)
        #expect(outputs == [0, 10, 20, nil, nil])
    }

    @Test("An item that would make the waiting cost too much is refused, and a cheaper one is not")
    func tooDear() async {
        let work = HeldWork()
        let limits = HeldWork.Group.Limits(batchCount: 10, inFlight: 1, waitingCount: 10, waitingCost: 4)
        #expect(await work.run(limits: limits, items: [0, 3, 2, 1]) == [0, 30, nil, 10])
    }

    @Test(
        "Of each item it is told how long it waited: none of the leader, and of the others until the batch before had ended"
    )
    func waits() async {
        let waits = Mutex([Duration]())
        let (work, clock) = (HeldWork(), ManualClock())
        let group = HeldWork.Group(
            limits: .init(batchCount: 10, inFlight: 1, waitingCount: 10), time: clock,
            waited: { time in waits.withLock { $0.append(time) } }
        ) { items in
            await work.hold(items)
            return items
        }
        async let first = group.submit(1)
        #expect(await eventually { !work.batches.isEmpty })
        async let second = group.submit(2)
        #expect(await eventually { group.waitingCount == 1 })
        clock.advance(by: .milliseconds(20))
        work.release()
        #expect(await first == 1)
        #expect(await second == 2)
        #expect(waits.withLock { $0 } == [.zero, .milliseconds(20)])
    }

    @Test("A place that was handed over becomes free when nobody waits")
    func reuse() async {
        let work = HeldWork()
        let group = work.group(.init(batchCount: 10, inFlight: 1, waitingCount: 0))
        work.release()
        #expect(await group.submit(1) == 10)
        #expect(await group.submit(2) == 20)
    }
}

/// Work that stands still until all callers of a test have come. An item costs what it is, and comes out tenfold.
private final class HeldWork: Sendable {
    typealias Group = GroupCommit<Int, Int>

    private let state = Mutex((batches: [[Int]](), settled: 0, isReleased: false))

    var batches: [[Int]] { self.state.withLock { $0.batches } }

    func release() { self.state.withLock { $0.isReleased = true } }

    func group(_ limits: Group.Limits) -> Group {
        Group(limits: limits, cost: { $0 }, time: ManualClock()) { items in
            await self.hold(items)
            return items.map { $0 * 10 }
        }
    }

    /// Begins a batch, and waits until it may go on.
    func hold(_ items: [Int]) async {
        self.state.withLock { $0.batches.append(items) }
        while !self.state.withLock({ $0.isReleased }) { try? await Task.sleep(for: .milliseconds(1)) }
    }

    /// Submits one item after the other has its place; the outputs in the order of the items.
    func run(limits: Group.Limits, items: some Sequence<Int> & Sendable) async -> [Int?] {
        let group = self.group(limits)
        return await withTaskGroup(of: (Int, Int?).self) { tasks in
            var count = 0
            for (position, item) in items.enumerated() {
                tasks.addTask {
                    let output = await group.submit(item)
                    self.state.withLock { $0.settled += 1 }
                    return (position, output)
                }
                count += 1
                // It leads, waits or was refused before the next comes.
                while self.state.withLock({ $0.batches.count + $0.settled }) + group.waitingCount < count {
                    try? await Task.sleep(for: .milliseconds(1))
                }
            }
            self.release()
            var outputs = [Int?](repeating: nil, count: count)
            for await (position, output) in tasks { outputs[position] = output }
            return outputs
        }
    }
}
