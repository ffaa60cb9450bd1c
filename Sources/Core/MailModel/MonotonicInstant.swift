/// A moment on the clock that runs from boot, through suspension, and that nobody sets (CLOCK_BOOTTIME).
///
/// Leases count on it. The wall clock may be an hour off. A clock that stops in suspension would make a node believe in
/// a lease that others have taken over.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since boot.
    public let nanoseconds: Int64

    /// The moment so many nanoseconds after boot.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The earlier of two moments is less.
    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The moment `duration` later, saturating at the ends of the range.
    public static func + (moment: Self, duration: Duration) -> Self {
        let (seconds, attoseconds) = duration.components
        let (scaled, tooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = moment.nanoseconds.addingReportingOverflow(scaled)
        let (total, overflowing) = sum.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !tooLong, !overflow, !overflowing else { return Self(nanoseconds: seconds < 0 ? .min : .max) }
        return Self(nanoseconds: total)
    }

    /// The moment `duration` earlier.
    public static func - (moment: Self, duration: Duration) -> Self { moment + (.zero - duration) }

    /// The time from `right` to `left`.
    public static func - (left: Self, right: Self) -> Duration { .nanoseconds(left.nanoseconds - right.nanoseconds) }
}
