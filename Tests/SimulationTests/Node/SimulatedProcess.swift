import MailModel

/// One process: it can be stopped and continued between any two of its steps, and killed.
///
/// While it is stopped nothing of it happens; what would have happened, happens when it goes on.
class SimulatedProcess {
    let world: World
    /// What its boot clock shows at the world's beginning: nothing may depend on it.
    private let bootOffset: Duration
    private(set) var isDead = false
    private(set) var isPaused = false
    private var stalled: [() -> Void] = []

    init(world: World) {
        self.world = world
        self.bootOffset = world.clockOffset()
    }

    /// CLOCK_BOOTTIME.
    var now: MonotonicInstant { self.world.now + self.bootOffset }

    /// Takes a step so much later, if it lives then and as soon as it runs.
    func after(_ delay: Duration, _ step: @escaping () -> Void) {
        self.world.after(delay) { self.take(step) }
    }

    /// Takes a step now, or when it runs again.
    func take(_ step: @escaping () -> Void) {
        if self.isDead { return }
        if self.isPaused { self.stalled.append(step) } else { step() }
    }

    /// SIGSTOP.
    func pause() { self.isPaused = true }

    /// SIGCONT.
    func resume() {
        guard self.isPaused, !self.isDead else { return }
        self.isPaused = false
        let steps = self.stalled
        self.stalled.removeAll()
        for step in steps { self.after(.zero, step) }
    }

    /// SIGKILL: all that it knew is gone.
    func kill() {
        self.isDead = true
        self.stalled.removeAll()
    }
}
