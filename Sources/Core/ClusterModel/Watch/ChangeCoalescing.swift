public import MailModel

/// When changes of the state are passed on: together, once they have paused, and never too late (control 8).
public struct ChangeCoalescing: Sendable {
    /// How long no change must come before they are passed on.
    public let quiet: Duration
    /// How long the first of them may wait at most.
    public let longest: Duration
    private var first: MonotonicInstant?
    private var last: MonotonicInstant?

    /// Nothing has changed yet. The defaults are 100 ms and 10 s.
    public init(quiet: Duration = .milliseconds(100), longest: Duration = .seconds(10)) {
        self.quiet = quiet
        self.longest = longest
    }

    /// When the changes so far are due; `nil` without any.
    public var dueAt: MonotonicInstant? {
        guard let first, let last else { return nil }
        return min(last + self.quiet, first + self.longest)
    }

    /// The state changed.
    public mutating func changed(at now: MonotonicInstant) {
        self.first = self.first ?? now
        self.last = now
    }

    /// Whether the changes so far are to be passed on now. If so they count as passed on.
    public mutating func due(at now: MonotonicInstant) -> Bool {
        guard let dueAt, dueAt <= now else { return false }
        (self.first, self.last) = (nil, nil)
        return true
    }
}
