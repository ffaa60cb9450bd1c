import MailModel

/// For whose mail a connection is opened, and how much of each pool it may hold (`ConnectionBudgets`).
public enum PoolShare: Hashable, Sendable {
    /// Mail of somebody, all of it.
    case all
    /// Mail without a sender, half of it: anybody can cause reports in any number, by mail with a forged sender.
    case nullSender
}

/// The pools of connections, and the half of each that mail without a sender may hold: decisions only.
struct DividedBudgets: Hashable, Sendable {
    private(set) var all: ConnectionBudgets
    /// What mail without a sender holds of these; each such connection counts in both.
    private(set) var nullSender: ConnectionBudgets

    /// - Parameters:
    ///   - connections: those of the whole node.
    ///   - firstLook: what a stranger has for its greeting while others wait.
    ///   - longestLook: what it has for an answer after that.
    init(connections: Int, firstLook: Duration, longestLook: Duration) {
        self.all = ConnectionBudgets(connections: connections, firstLook: firstLook, longestLook: longestLook)
        self.nullSender = ConnectionBudgets(
            connections: connections / 2, firstLook: firstLook, longestLook: longestLook)
    }

    subscript(share: PoolShare) -> ConnectionBudgets {
        switch share {
        case .all: self.all
        case .nullSender: self.nullSender
        }
    }

    /// What keeps one more from being opened; `nil` where nothing does.
    func obstacle(
        to standing: HostStanding, in network: HostNetwork, for share: PoolShare, at now: MonotonicInstant
    ) -> (ConnectionAdmission.Limit, ConnectionAdmission.Obstacle)? {
        let isProven = standing == .proven
        if !self.all.allows(isProven: isProven, in: network) {
            return (.network(isProven: isProven), .network(network, isProven: isProven))
        }
        if !self.all.allows(standing, at: now) { return (.pool(standing), .pool(standing)) }
        guard share == .nullSender else { return nil }
        if !self.nullSender.allows(isProven: isProven, in: network) {
            return (.nullSenderNetwork(isProven: isProven), .nullSenderNetwork(network, isProven: isProven))
        }
        if !self.nullSender.allows(standing, at: now) {
            return (.nullSenderPool(standing), .nullSenderPool(standing))
        }
        return nil
    }

    mutating func began(
        _ standing: HostStanding, in network: HostNetwork, for share: PoolShare, at now: MonotonicInstant
    ) {
        self.all.began(standing, in: network, at: now)
        if share == .nullSender { self.nullSender.began(standing, in: network, at: now) }
    }

    /// It is being opened no longer: it is open, or closed.
    mutating func openingEnded(_ standing: HostStanding, in network: HostNetwork, for share: PoolShare) {
        self.all.openingEnded(standing, in: network)
        if share == .nullSender { self.nullSender.openingEnded(standing, in: network) }
    }

    /// One to a host that was not proven is closed, or the host is proven now.
    mutating func unprovenEnded(in network: HostNetwork, for share: PoolShare) {
        self.all.unprovenEnded(in: network)
        if share == .nullSender { self.nullSender.unprovenEnded(in: network) }
    }

    /// It is closed.
    mutating func closed(in network: HostNetwork, for share: PoolShare) {
        self.all.closed(in: network)
        if share == .nullSender { self.nullSender.closed(in: network) }
    }
}
