/// When to count again what waits for throttled destinations: often while it is little, and never for more than a
/// twentieth of the time.
struct CountPace: Hashable, Sendable {
    /// The shortest time between two counts.
    static let shortest = Duration.seconds(5)
    /// A count is followed by so many times its own duration without one.
    static let share = 20

    /// The pause after a count that took so long.
    static func pause(after duration: Duration) -> Duration { max(Self.shortest, duration * Self.share) }
}
