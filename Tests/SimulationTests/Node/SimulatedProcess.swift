import MailModel

/// One process: its tasks and timers take their steps when the world lets them, one after the other, on the thread of the test. It
/// can be stopped and continued between any two of its steps, and killed.
///
/// While it is stopped nothing of it happens; what would have happened, happens when it goes on. One that is killed hears of every
/// wait that it is over, and is heard by nobody, so that its tasks come to their ends.
class SimulatedProcess: @unchecked Sendable {
    let world: World
    /// What its boot clock shows at the world's beginning: nothing may depend on it.
    let bootOffset: Duration
    private(set) var isDead = false
    private(set) var isPaused = false
    private var stalled: [() -> Void] = []
    /// Steps that can be taken now.
    private var ready: [() -> Void] = []
    /// Waits by number, each with what ends it when the process is killed.
    private var waits: [Int: () -> Void] = [:]
    private var waitCount = 0

    init(world: World) {
        self.world = world
        self.bootOffset = world.clockOffset()
    }

    // MARK: - Steps

    /// Takes a step as soon as the process runs.
    func enqueue(_ step: @escaping () -> Void) {
        if self.ready.isEmpty { self.world.isReady(self) }
        self.ready.append(step)
    }

    /// Takes the steps that can be taken, and those that become possible by them.
    func run() {
        var taken = 0
        while taken < self.ready.count, !self.isPaused {
            let step = self.ready[taken]
            taken += 1
            step()
        }
        self.ready.removeFirst(taken)
        self.tookSteps()
    }

    /// For those who watch.
    func tookSteps() {}

    /// Takes a step so much later, if it lives then and as soon as it runs.
    func after(_ delay: Duration, _ step: @escaping () -> Void) {
        self.world.after(delay) { self.take(step) }
    }

    /// Takes a step now, or when it runs again.
    func take(_ step: @escaping () -> Void) {
        if self.isDead { return }
        if self.isPaused { self.stalled.append(step) } else { self.enqueue(step) }
    }

    // MARK: - Waiting

    /// Begins a wait, which is over when what this gives is called, or the process is killed: then `end` is called. Only one of
    /// the two has an effect.
    func wait(orEnd end: @escaping () -> Void) -> (() -> Void) -> Void {
        if self.isDead {
            end()
            return { _ in }
        }
        self.waitCount += 1
        let number = self.waitCount
        self.waits[number] = end
        return { step in
            if self.waits.removeValue(forKey: number) != nil { step() }
        }
    }

    /// The value that `begin` calls back with; `end` when the process is killed before.
    func value<Value: Sendable>(orEnd end: Value, _ begin: (@escaping (Value) -> Void) -> Void) async -> Value {
        guard !self.isDead else { return end }
        return await withCheckedContinuation { continuation in
            let isOver = self.wait { continuation.resume(returning: end) }
            begin { value in isOver { continuation.resume(returning: value) } }
        }
    }

    /// Waits so long, as the world counts; throws when the task is cancelled, or the process killed.
    func sleep(for duration: Duration) async throws {
        try await self.suspend { self.after(duration, $0) }
    }

    /// Waits until what `begin` is given is called; throws when the task is cancelled, or the process killed.
    func suspend(_ begin: (@escaping () -> Void) -> Void) async throws {
        let cancellation = SimulatedCancellation()
        let isOver = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled, !self.isDead else { return continuation.resume(returning: false) }
                let isOver = self.wait { continuation.resume(returning: false) }
                cancellation.act = { isOver { continuation.resume(returning: false) } }
                begin { isOver { continuation.resume(returning: true) } }
            }
        } onCancel: {
            cancellation.act()
        }
        cancellation.act = {}
        guard isOver else { throw CancellationError() }
    }

    // MARK: - Signals

    /// SIGSTOP.
    func pause() { if !self.isDead { self.isPaused = true } }

    /// SIGCONT.
    func resume() {
        guard self.isPaused, !self.isDead else { return }
        self.isPaused = false
        if !self.ready.isEmpty { self.world.isReady(self) }
        let steps = self.stalled
        self.stalled.removeAll()
        for step in steps { self.after(.zero, step) }
    }

    /// SIGKILL, or its own end: all that it knew is gone.
    func kill() {
        guard !self.isDead else { return }
        self.isDead = true
        self.stalled.removeAll()
        if self.isPaused {
            self.isPaused = false
            if !self.ready.isEmpty { self.world.isReady(self) }
        }
        let waits = self.waits.sorted { $0.key < $1.key }
        self.waits.removeAll()
        for (_, end) in waits { end() }
    }
}

/// What ends a wait when its task is cancelled.
private final class SimulatedCancellation: @unchecked Sendable {
    var act: () -> Void = {}
}
