/// How long a step of a migration waits for locks. Sessions that come after it wait with it.
public struct MigrationPatience: Hashable, Sendable {
    /// The most time that one try waits, in milliseconds.
    public var lockMilliseconds = 2000
    /// How often a step is tried.
    public var attempts = 30
    /// The time between two tries, in which others get their locks.
    public var pause = Duration.seconds(2)

    /// Thirty tries in about two minutes.
    public init() {}
}
