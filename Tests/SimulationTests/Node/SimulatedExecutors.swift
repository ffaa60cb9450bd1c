import Dispatch
import MailModel
import NIOCore

/// Runs the tasks of a process, as steps of it.
final class SimulatedTaskExecutor: TaskExecutor, @unchecked Sendable {
    private unowned let process: SimulatedProcess

    init(_ process: SimulatedProcess) { self.process = process }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.process.enqueue { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// The event loop of a process: what is submitted to it are steps of the process, and its timers are the world's.
final class SimulatedEventLoop: NIOSerialEventLoopExecutor, @unchecked Sendable {
    private unowned let process: SimulatedProcess
    private unowned let tasks: SimulatedTaskExecutor
    private let clock: SimulatedClock
    private let forgotten: Duration?

    /// - Parameters:
    ///   - tasks: what all tasks of the process prefer.
    ///   - forgotten: timers of this length never fire, by a rule that is broken.
    init(
        _ process: SimulatedProcess, tasks: SimulatedTaskExecutor, clock: SimulatedClock, forgets forgotten: Duration?
    ) {
        self.process = process
        self.tasks = tasks
        self.clock = clock
        self.forgotten = forgotten
    }

    /// All that happens, happens on one thread.
    var inEventLoop: Bool { true }

    var now: NIODeadline { .uptimeNanoseconds(UInt64(self.clock.now.nanoseconds)) }

    /// Both executors are named. Else a task would leave the loop at each call of its own actor, for want of the executor that it
    /// prefers, and others would take their steps between two that the product takes as one.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.process.enqueue {
            job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.tasks.asUnownedTaskExecutor())
        }
    }

    func execute(_ task: @escaping @Sendable () -> Void) { self.process.enqueue(task) }

    func submit<Value>(_ task: @escaping @Sendable () throws -> Value) -> EventLoopFuture<Value> {
        self.scheduleTask(in: .zero, task).futureResult
    }

    func scheduleTask<Value>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        self.scheduleTask(in: deadline - self.now, task)
    }

    func scheduleTask<Value>(
        in amount: TimeAmount, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        let promise = self.makePromise(of: Value.self)
        let isOver = self.process.wait { promise.fail(CancellationError()) }
        if Duration(amount) != self.forgotten {
            self.process.after(self.clock.worldTime(of: Duration(amount))) {
                isOver { promise.assumeIsolatedUnsafeUnchecked().completeWith(Result { try task() }) }
            }
        }
        // The one who cancels has failed the promise.
        let end = SimulatedEnd { isOver {} }
        return Scheduled(promise: promise) { end.call() }
    }

    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        preconditionFailure("it ends with its process")
    }
}

/// What is called on the one thread, wherever it is called.
private struct SimulatedEnd: @unchecked Sendable {
    let call: () -> Void
}

/// The clocks of a process, on which so many seconds of the world are one.
struct SimulatedClock: NodeClock, @unchecked Sendable {
    private unowned let process: SimulatedProcess
    private let worldSeconds: Int

    init(_ process: SimulatedProcess, worldSeconds: Int = 1) {
        self.process = process
        self.worldSeconds = worldSeconds
    }

    /// It differs from the clock of every other process, and from run to run.
    var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: self.process.world.now.nanoseconds / Int64(self.worldSeconds))
            + self.process.bootOffset
    }

    /// Nothing of a simulation is dated by it.
    var date: Timestamp { Timestamp(seconds: 1_800_000_000) }

    func sleep(for duration: Duration) async throws { try await self.process.sleep(for: self.worldTime(of: duration)) }

    /// What the world calls this duration.
    func worldTime(of duration: Duration) -> Duration { duration * self.worldSeconds }
}
