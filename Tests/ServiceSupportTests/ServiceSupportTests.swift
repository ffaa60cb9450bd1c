import Dispatch
import Foundation
import LabSupport
import MailModel
import NIOCore
import NIOEmbedded
import ServiceSupport
import Synchronization
import Testing

/// The parts that connections and deliveries share.
@Suite("Support of services", .timeLimit(.minutes(3)))
struct ServiceSupportTests {
    // MARK: TaskSupervisor

    @Test("run() returns only when everything that was accepted has ended; then nothing is accepted")
    func supervisorRunsAll() async {
        let supervisor = TaskSupervisor(backlog: 10)
        let count = Mutex(0)
        let increment: TaskSupervisor.Operation = { count.withLock { $0 += 1 } }
        #expect(supervisor.submit(increment))
        async let running: Void = supervisor.run()
        #expect(supervisor.submit(increment))
        supervisor.close()
        await running
        #expect(count.withLock { $0 } == 2)
        #expect(!supervisor.submit(increment))
    }

    @Test("What was accepted is run even when run() is cancelled")
    func supervisorIsCancelled() async {
        let supervisor = TaskSupervisor(backlog: 10)
        let isDone = Mutex(false)
        await withTaskGroup { group in
            group.addTask { await supervisor.run() }
            group.cancelAll()
            #expect(supervisor.submit { isDone.withLock { $0 = true } })
            supervisor.close()
        }
        #expect(isDone.withLock { $0 })
    }

    @Test("Beyond the backlog a submission is refused")
    func supervisorBacklog() {
        let supervisor = TaskSupervisor(backlog: 1)
        #expect(supervisor.submit {})
        #expect(!supervisor.submit {})
    }

    @Test("No more run at once than may; one that ends lets another begin")
    func supervisorAtOnce() async {
        let supervisor = TaskSupervisor(backlog: 10, atOnce: 1)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        async let running: Void = supervisor.run()
        #expect(supervisor.submit { for await _ in ends { break } })
        #expect(!supervisor.submit {})
        end.yield()
        #expect(await eventually { supervisor.submit {} })
        supervisor.close()
        await running
    }

    // MARK: Threads of their own

    @Test("Work on threads of its own runs however much of it blocks, and leaves the threads of tasks to others")
    func ownThreads() async {
        let count = 4 * ProcessInfo.processInfo.activeProcessorCount
        let begun = DispatchSemaphore(value: 0)
        let (all, most) = (DispatchSemaphore(value: 0), count)
        let ended = await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask {
                    await onOwnThread("reader") {
                        begun.signal()
                        // None ends before the last has begun.
                        all.wait()
                    }
                }
            }
            group.addTask {
                await onOwnThread("counter") {
                    for _ in 0..<most { begun.wait() }
                    for _ in 0..<most { all.signal() }
                }
            }
            return await group.reduce(into: 0) { count, _ in count += 1 }
        }
        #expect(ended == count + 1)
    }

    // MARK: FairBudget

    @Test("Nobody has more connections than the budget; what is given back goes to who waits")
    func budget() async {
        let budget = FairBudget<Int>(2, leavesReserve: false)
        let tally = Tally()
        await withTaskGroup { group in
            for _ in 0..<20 {
                group.addTask {
                    guard await budget.acquire(for: 1) else { return }
                    tally.enter()
                    await Task.yield()
                    tally.leave()
                    budget.release(1)
                }
            }
        }
        #expect((1...2).contains(tally.most))
        #expect(tally.present == 0)
    }

    @Test("Who is cancelled waits no longer, and takes nothing from those who do")
    func cancelledInLine() async {
        let budget = FairBudget<Int>(1)
        #expect(await budget.acquire(for: 1))
        await withTaskGroup { group in
            group.addTask { await budget.acquire(for: 1) }
            group.cancelAll()
            #expect(await group.next() == false)
        }
        budget.release(1)
        #expect(await budget.acquire(for: 1))
    }

    @Test("Who has none waits before those who have some")
    func fewestFirst() async {
        let budget = FairBudget<String>(3)
        #expect(await budget.acquire(for: "slow"))
        #expect(await budget.acquire(for: "slow"))
        #expect(await budget.acquire(for: "second"))
        let order = await withTaskGroup(of: String.self) { group in
            for (position, name) in ["slow", "third"].enumerated() {
                group.addTask {
                    _ = await budget.acquire(for: name)
                    return name
                }
                // The first waits in line before the other comes.
                #expect(await eventually { budget.waitingCount > position })
            }
            budget.release("slow")
            let first = await group.next()
            budget.release("second")
            budget.release("third")
            return [first, await group.next()]
        }
        #expect(order == ["third", "slow"])
    }

    /// Counts who is inside.
    private final class Tally: Sendable {
        private let state = Mutex((present: 0, most: 0))
        func enter() { self.state.withLock { $0 = ($0.present + 1, max($0.most, $0.present + 1)) } }
        func leave() { self.state.withLock { $0.present -= 1 } }
        var present: Int { self.state.withLock { $0.present } }
        var most: Int { self.state.withLock { $0.most } }
    }

    // MARK: Shutdown

    @Test("What ends by itself does not wait for the shutdown, which is waited for no more")
    func endsByItself() async {
        let clock = ManualClock()
        let shutdown = Shutdown { try? await clock.sleep(for: .seconds(60)) }
        #expect(await shutdown.cancels { 7 } == 7)
    }

    @Test("The shutdown cancels what goes on, and its end is waited for")
    func isCancelled() async {
        let clock = ManualClock()
        let shutdown = Shutdown { try? await clock.sleep(for: .seconds(60)) }
        async let wasCancelled = shutdown.cancels {
            await clock.sleepUntilCancelled()
            return Task.isCancelled
        }
        await clock.waitForSleepers(2)
        clock.advance(by: .seconds(60))
        #expect(await wasCancelled)
    }

    // MARK: ChannelRegistry

    @Test("A registry forgets what closes, and closes what is left")
    func registry() async throws {
        let clock = ManualClock()
        let registry = ChannelRegistry(time: clock)
        let (first, second) = (NIOAsyncTestingChannel(), NIOAsyncTestingChannel())
        registry.add(first)
        registry.add(second)
        #expect(registry.all.count == 2)
        try await first.close()
        await first.testingEventLoop.run()
        #expect(registry.all.count == 1)
        async let isDrained = registry.drained(within: .seconds(60))
        await clock.waitForSleepers()
        clock.advance(by: .seconds(60))
        #expect(await !isDrained)
        registry.closeAll()
        await second.testingEventLoop.run()
        #expect(await registry.drained(within: .seconds(5)))
    }

    // MARK: DeadlineTimer

    @Test("A deadline that was moved is met at its new time, and once")
    func timer() {
        let loop = EmbeddedEventLoop()
        var expiries = 0
        let timer = DeadlineTimer(on: loop) { expiries += 1 }
        timer.arm(.seconds(10))
        loop.advanceTime(by: .seconds(5))
        timer.arm(.seconds(10))
        loop.advanceTime(by: .seconds(9))
        #expect(expiries == 0)
        timer.arm(.milliseconds(10))
        loop.advanceTime(by: .seconds(1))
        #expect(expiries == 1)
        loop.advanceTime(by: .seconds(100))
        #expect(expiries == 1)
        timer.arm(.seconds(1))
        timer.disarm()
        loop.advanceTime(by: .seconds(2))
        #expect(expiries == 1)
    }
}
