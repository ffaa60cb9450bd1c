/// The time of a node, and its timers: an argument of all that needs either, so that a test or a simulation can have its own.
public protocol NodeClock: Sendable {
    /// The moment on the clock that runs from boot and that nobody sets.
    var now: MonotonicInstant { get }
    /// The moment by the wall clock, which may be wrong.
    var date: Timestamp { get }
    /// Waits so long. Throws `CancellationError` as soon as the task is cancelled.
    func sleep(for duration: Duration) async throws
}

extension NodeClock {
    /// Waits until the task is cancelled.
    public func sleepUntilCancelled() async {
        while (try? await self.sleep(for: .seconds(3600))) != nil {}
    }
}
