public import MailModel

/// The clocks of this machine.
public struct SystemClock: NodeClock {
    /// There is one.
    public init() {}

    /// CLOCK_BOOTTIME.
    public var now: MonotonicInstant { .now }

    /// CLOCK_REALTIME.
    public var date: Timestamp { .systemNow }

    /// As `Task.sleep`.
    public func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration, clock: .continuous) }
}

extension NodeClock where Self == SystemClock {
    /// The clocks of this machine.
    public static var system: SystemClock { SystemClock() }
}

extension RandomSource {
    /// The random numbers of the kernel.
    public static let system = RandomSource {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
