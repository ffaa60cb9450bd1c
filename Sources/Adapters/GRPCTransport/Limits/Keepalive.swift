package import NIOCore

/// When to ask a silent peer for a sign of life, and when to give it up (control 23).
package struct KeepaliveLimits: Hashable, Sendable {
    /// So long nothing may be heard before a ping is sent.
    package var silence: TimeAmount
    /// So long a ping may stay without any byte of the peer's.
    package var patience: TimeAmount
    /// Whether pings are sent while no call is open.
    package var withoutCalls: Bool

    package init(silence: TimeAmount, patience: TimeAmount, withoutCalls: Bool) {
        self.silence = silence
        self.patience = patience
        self.withoutCalls = withoutCalls
    }

    /// Twice the silence, up to a day: the server was asked too often.
    mutating func double() { self.silence = max(self.silence, min(self.silence * 2, .hours(24))) }

    /// What a server does: it asks after 2 h and waits 20 s.
    package static let server = Self(silence: .hours(2), patience: .seconds(20), withoutCalls: true)
    /// As often as a server allows without calls, with a margin.
    package static let client = Self(silence: .minutes(6), patience: .seconds(20), withoutCalls: true)
}

/// Keepalive of one connection, counted from the last byte that was read.
struct Keepalive: Hashable, Sendable {
    enum Action: Hashable {
        /// Ask again at this moment.
        case wait(until: NIODeadline)
        /// Send a ping, and ask again at this moment.
        case ping(until: NIODeadline)
        /// The peer is gone.
        case close
    }

    let limits: KeepaliveLimits
    private var readAt: NIODeadline
    private var pingedAt: NIODeadline?

    init(_ limits: KeepaliveLimits, at now: NIODeadline) {
        self.limits = limits
        self.readAt = now
    }

    /// A byte came.
    mutating func read(at now: NIODeadline) {
        self.readAt = now
        self.pingedAt = nil
    }

    /// What is due now.
    mutating func check(at now: NIODeadline, hasCalls: Bool) -> Action {
        if let pingedAt = self.pingedAt {
            let end = pingedAt + self.limits.patience
            return now < end ? .wait(until: end) : .close
        }
        let due = self.readAt + self.limits.silence
        guard now >= due else { return .wait(until: due) }
        guard hasCalls || self.limits.withoutCalls else { return .wait(until: now + self.limits.silence) }
        self.pingedAt = now
        return .ping(until: now + self.limits.patience)
    }
}
