package import NIOCore

/// How many connections a server serves, and how fast new ones may come (control 8).
///
/// Calls on further connections get RESOURCE_EXHAUSTED with a delay, so that clients come back later and not all at once. That costs a
/// handshake each, so it is bounded too; what is beyond that is closed at once.
package struct ConnectionLimits: Hashable, Sendable {
    /// The connections that may be open at a time.
    package var open = 1_000
    /// New connections.
    package var new = Allowance(burst: 500, perSecond: 100)
    /// Further connections that may be open at a time for calls to be refused on.
    package var refused = 50
    /// How long each of these may last.
    package var refusedTime = TimeAmount.seconds(5)
    /// The delay that a refused call is told, and up to as much again by chance.
    package var retryDelay = TimeAmount.seconds(5)

    package init() {}

    /// The delay to tell, by a value from 0 to 1.
    func delay(random: Double) -> TimeAmount {
        .nanoseconds(Int64(Double(self.retryDelay.nanoseconds) * (1 + random)))
    }
}

/// Which limit a connection was beyond.
package enum ConnectionRefusal: String, Hashable, Sendable, CaseIterable {
    /// Connections that are open.
    case count
    /// New connections a second.
    case rate

    var text: String {
        switch self {
        case .count: "the server has as many connections as it may have"
        case .rate: "the server gets more new connections than it may take"
        }
    }
}

/// What is left of a server's limits of connections.
struct ConnectionAllowance: Sendable {
    enum Verdict: Hashable {
        case serve
        /// Open for calls to be refused on.
        case refuse(ConnectionRefusal)
        case close(ConnectionRefusal)
    }

    private let limits: ConnectionLimits
    private var new: TokenBucket

    init(_ limits: ConnectionLimits, at now: NIODeadline) {
        self.limits = limits
        self.new = TokenBucket(limits.new, at: now)
    }

    /// Judges one more connection beside so many.
    mutating func judge(served: Int, refused: Int, at now: NIODeadline) -> Verdict {
        let reason: ConnectionRefusal
        if served >= self.limits.open {
            reason = .count
        } else if !self.new.take(at: now) {
            reason = .rate
        } else {
            return .serve
        }
        return refused < self.limits.refused ? .refuse(reason) : .close(reason)
    }
}
