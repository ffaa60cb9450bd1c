public import MailModel

/// How far a node's clock is ahead of the controller's (control 15).
public struct ClockOffset: Hashable, Sendable {
    /// Beyond it operators are warned.
    public static let tolerance = Duration.seconds(2)

    /// Negative if the clock is behind.
    public let ahead: Duration

    /// The clock of a node that said `theirs` when the controller's said `ours`.
    public init(theirs: Timestamp, ours: Timestamp) { self.ahead = theirs.elapsed(since: ours) }

    /// An offset that was worked out before.
    public init(ahead: Duration) { self.ahead = ahead }

    /// Whether operators are warned: it is more than 2 s, either way.
    public var isExcessive: Bool { self.ahead > Self.tolerance || self.ahead < .zero - Self.tolerance }
}

extension ClockOffset: CustomStringConvertible {
    /// Such as `3.200 s ahead`.
    public var description: String {
        let isBehind = self.ahead < .zero
        let milliseconds = (isBehind ? .zero - self.ahead : self.ahead).wholeMicroseconds / 1000
        let fraction = String(milliseconds % 1000)
        let padded = String(repeating: "0", count: 3 - fraction.count) + fraction
        return "\(milliseconds / 1000).\(padded) s \(isBehind ? "behind" : "ahead")"
    }
}

extension Timestamp {
    /// The time from another moment. A peer may claim any time, so it saturates where it could not be negated.
    fileprivate func elapsed(since other: Timestamp) -> Duration {
        let (difference, overflow) = self.microseconds.subtractingReportingOverflow(other.microseconds)
        if overflow { return .microseconds(self < other ? -Int64.max : .max) }
        return .microseconds(max(difference, -Int64.max))
    }
}
