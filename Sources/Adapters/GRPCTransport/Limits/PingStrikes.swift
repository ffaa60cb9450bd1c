import NIOCore

/// A server's patience with pings of a client that has no calls (control 23).
struct PingStrikes: Hashable, Sendable {
    /// What the GOAWAY says.
    static let message = "too_many_pings"
    /// Pings may be so far apart.
    var interval = TimeAmount.minutes(5)
    /// So many may come sooner; the next one ends the connection.
    var tolerated = 2
    private var strikes = 0
    private var lastPing: NIODeadline?

    /// Judges a ping: `false` if the connection should end.
    mutating func received(at now: NIODeadline, hasCalls: Bool) -> Bool {
        defer { self.lastPing = now }
        guard let lastPing = self.lastPing, !hasCalls, now - lastPing < self.interval else { return true }
        self.strikes += 1
        return self.strikes <= self.tolerated
    }

    /// A frame of a call went out, which is reason to probe again.
    mutating func sentFrame() {
        self.strikes = 0
        self.lastPing = nil
    }
}
