import MailModel

/// The libunbound context in use, and the next one after the clock was set; for one thread, as a context is.
///
/// libunbound keeps answers until a time of day. Were the clock set back, they would outlive their TTL by as much, and
/// what was proven under a wrong clock would pass for proven under the right one. There is no call that empties the
/// caches, so the context goes with them.
struct UnboundContexts {
    private let configuration: String
    private let now: @Sendable () -> Timestamp
    private let clockWasSet: @Sendable (Duration) -> Void
    private var watch: ClockWatch
    /// The one that was in use when `current()` was last called.
    private(set) var last: UnboundContext?

    init(
        configuration: String, now: @escaping @Sendable () -> Timestamp,
        clockWasSet: @escaping @Sendable (Duration) -> Void
    ) {
        self.configuration = configuration
        self.now = now
        self.clockWasSet = clockWasSet
        self.watch = ClockWatch(now(), .now)
    }

    /// The context to use now. One that cannot be made is tried again with the next call.
    mutating func current() -> Result<UnboundContext, SecureResolverError> {
        if let step = self.watch.step(self.now(), .now) {
            self.clockWasSet(step)
            self.end("the clock was set")
        }
        if let last = self.last { return .success(last) }
        return Result { () throws(SecureResolverError) in
            let context = try UnboundContext(configuration: self.configuration)
            self.last = context
            return context
        }
    }

    /// Answers all who wait with this reason, and frees the context.
    mutating func end(_ reason: String) {
        self.last?.failAll(reason)
        self.last?.delete()
        self.last = nil
    }
}
