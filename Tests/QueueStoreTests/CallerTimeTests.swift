import ClusterModel
import Foundation
import LabSupport
import PostgresDriver
import QueueStore
import Synchronization
import Testing

/// An event loop that encodes hundreds of rows serves none of its connections meanwhile. What a caller gives up is measured in
/// processor time of its thread, which does not depend on what else the machine does.
@Suite("Batches are encoded and decoded away from the caller's thread", .timeLimit(.minutes(3)))
struct CallerTimeTests {
    private static let count = 250

    /// So many entries of many recipients each.
    private func fill(_ queue: QueueFixture) async throws {
        let recipients = (0..<40).map { QueueRecipient(address: "recipient-\($0)@bravo.test", notify: "FAILURE,DELAY") }
        try await withThrowingTaskGroup { group in
            for _ in 0..<Self.count {
                var message = queue.message()
                message.entries = [AcceptedEntry(domain: bravo, recipients: recipients)]
                group.addTask { [message] in try await queue.writer.enqueue(message) }
            }
            try await group.waitForAll()
        }
    }

    @Test("A claim of 250 entries, their attempts and their outcomes take the caller's thread next to no time")
    func owner() async throws {
        try await QueueFixture.run { queue in
            try await self.fill(queue)
            let caller = Caller()
            let entries = try await caller.claim(queue, Self.count)
            #expect(entries.count == Self.count)
            let claim = caller.executor.takeTime()
            #expect(claim < .milliseconds(2))
            let epoch = try queue.term().epoch
            #expect(try await caller.open(queue, entries.map { ($0, epoch) }) == Self.count)
            let opening = caller.executor.takeTime()
            #expect(opening < .milliseconds(2))
            var outcomes: [RecordedOutcome] = []
            for entry in entries { outcomes.append(try await queue.retry(entry, in: .seconds(60))) }
            #expect(await caller.record(queue, outcomes) == Self.count)
            let time = caller.executor.takeTime()
            #expect(time < .milliseconds(2))
        }
    }

    @Test("A group performs away from the executor of the caller who leads")
    func leader() async {
        let caller = Caller()
        let executor = caller.executor
        let group = GroupCommit<Int, Bool>(
            limits: .init(batchCount: 10, inFlight: 1, waitingCount: 10), time: ManualClock()
        ) { items in
            items.map { _ in executor.isCurrent }
        }
        #expect(await caller.submit(group) == false)
    }
}

/// Somebody with a thread of its own, such as an event loop.
private actor Caller {
    nonisolated let executor = TimedExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    func claim(_ queue: QueueFixture, _ count: Int) async throws -> [QueueEntry] {
        try await queue.store.claim(try queue.term(), destination: bravo, maximumCount: count).entries
    }

    func open(_ queue: QueueFixture, _ attempts: [(entry: QueueEntry, epoch: Epoch)]) async throws -> Int {
        try await queue.store.openAttempts(attempts).count
    }

    func record(_ queue: QueueFixture, _ outcomes: [RecordedOutcome]) async -> Int {
        await queue.store.recordOutcomes(outcomes).count { (try? $0.get()) != nil }
    }

    func submit(_ group: GroupCommit<Int, Bool>) async -> Bool? { await group.submit(1) }
}

/// Sums up the processor time of what runs on it.
private final class TimedExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "caller")
    private let key = DispatchSpecificKey<Bool>()
    private let time = Mutex(Duration.zero)

    init() { self.queue.setSpecific(key: self.key, value: true) }

    var isCurrent: Bool { DispatchQueue.getSpecific(key: self.key) == true }

    func takeTime() -> Duration {
        self.time.withLock { time in
            defer { time = .zero }
            return time
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.queue.async {
            let start = Self.threadTime
            job.runSynchronously(on: self.asUnownedSerialExecutor())
            let end = Self.threadTime
            self.time.withLock { $0 += end - start }
        }
    }

    private static var threadTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
