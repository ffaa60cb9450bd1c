import MailModel

/// Notices that the wall clock was set: that it went otherwise than the clock that counts from the machine's start.
///
/// Both follow the same corrections of their speed, so between two looks they differ only by a step.
struct ClockWatch: Sendable {
    /// Lifetimes are whole seconds, and may be wrong by so many.
    static let tolerance = Duration.seconds(10)

    private var wall: Timestamp
    private var elapsed: ContinuousClock.Instant

    /// Both clocks as they are now.
    init(_ wall: Timestamp, _ elapsed: ContinuousClock.Instant) {
        self.wall = wall
        self.elapsed = elapsed
    }

    /// By how much the wall clock was set since this was last reported; `nil` where that is not worth a word.
    mutating func step(_ wall: Timestamp, _ elapsed: ContinuousClock.Instant) -> Duration? {
        let step = wall - (self.wall + self.elapsed.duration(to: elapsed))
        guard step > Self.tolerance || step < .zero - Self.tolerance else { return nil }
        self = ClockWatch(wall, elapsed)
        return step
    }
}
