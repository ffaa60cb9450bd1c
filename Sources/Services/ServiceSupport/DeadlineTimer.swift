package import NIOCore

/// One deadline of one connection, moved often and met rarely.
///
/// Moving it is one store: the scheduled task looks again when it fires, instead of being cancelled for each move.
/// Confined to its event loop.
package final class DeadlineTimer {
    private let eventLoop: any EventLoop
    private let onExpiry: () -> Void
    private var deadline: NIODeadline?
    private var scheduled: (task: Scheduled<Void>, at: NIODeadline)?

    /// - Parameter onExpiry: called on the event loop, at most once for each `arm`.
    package init(on eventLoop: any EventLoop, onExpiry: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.onExpiry = onExpiry
    }

    /// Moves the deadline to `duration` from now, or to `limit` where that is earlier.
    package func arm(_ duration: Duration, notBeyond limit: NIODeadline = .distantFuture) {
        let deadline = min(self.eventLoop.now + TimeAmount(duration), limit)
        self.deadline = deadline
        if let scheduled, scheduled.at <= deadline { return }
        self.schedule(deadline)
    }

    /// There is no deadline for now.
    package func disarm() { self.deadline = nil }

    /// Ends the timer; it must be called before its owner goes away.
    package func cancel() {
        self.deadline = nil
        self.scheduled?.task.cancel()
        self.scheduled = nil
    }

    private func schedule(_ deadline: NIODeadline) {
        self.scheduled?.task.cancel()
        let task = self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.fired() }
        self.scheduled = (task, deadline)
    }

    private func fired() {
        self.scheduled = nil
        guard let deadline else { return }
        if self.eventLoop.now < deadline {
            self.schedule(deadline)
        } else {
            self.deadline = nil
            self.onExpiry()
        }
    }
}
