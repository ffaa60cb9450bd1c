public import MailModel

/// What a receiving host has shown of itself lately.
public enum HostStanding: Hashable, Sendable {
    /// Mail was delivered there.
    case proven
    /// Nothing is known.
    case fresh
    /// It kept us waiting for its greeting until we gave up.
    case silent
}

/// The connections of a node that lead to hosts which have not shown yet that they take mail: decisions only.
///
/// Anybody can make the node connect to as many hosts of his as he likes, and let it wait there. So connections that
/// are being opened have a pool of their own, a quarter of all. One network (/24, /64) has at most a quarter of that,
/// and hosts that were silent before have half of it. Those to hosts that have taken mail lately have a quarter beside
/// it. And until it has taken mail, a host's connection counts as a stranger's. Strangers together never have more than
/// half of all, and those of one network a quarter of that half. So a host that greets, and then says no more, holds no
/// more either. Strangers get both pools as `PacedLimit` says, so that one which comes later soon has its turn, however
/// many came before.
///
/// Hosts that have taken mail may stall as well. Those of one network hold at most three quarters of their share and of
/// all. Large providers have many sites behind few networks, and `FairShares` leaves the last quarter to others anyway.
struct ConnectionBudgets: Hashable, Sendable {
    /// Connections being opened to hosts that are not proven; as many may be to hosts that are.
    private(set) var opening: PacedLimit
    /// Of those, the most in one network.
    let openingPerNetwork: Int
    /// Of those, the most to hosts that were silent.
    let openingToSilent: Int
    /// Connections to hosts that are not proven, opened or not.
    private(set) var unproven: PacedLimit
    /// Of those, the most in one network.
    let unprovenPerNetwork: Int
    /// Of those being opened to hosts that are proven, the most in one network.
    let provenOpeningPerNetwork: Int
    /// Of all connections, the most in one network where hosts are proven.
    let perNetwork: Int
    /// The most connections to hosts that are proven which may wait for an answer for longer than others have.
    let mostStalling: Int

    private var beingOpened: [HostStanding: Int] = [:]
    private var networks = NetworkCounts()
    private var unprovenNetworks = NetworkCounts()
    private var provenNetworks = NetworkCounts()
    /// Of all connections.
    private var allNetworks = NetworkCounts()

    /// - Parameters:
    ///   - connections: those of the whole node.
    ///   - firstLook: what a stranger has for its greeting while others wait.
    ///   - longestLook: what it has for an answer after that.
    init(connections: Int, firstLook: Duration, longestLook: Duration) {
        self.opening = PacedLimit(max(1, connections / 4), stay: firstLook)
        self.openingPerNetwork = max(1, self.opening.limit / 4)
        self.openingToSilent = max(1, self.opening.limit / 2)
        self.unproven = PacedLimit(max(1, connections / 2), stay: longestLook)
        self.unprovenPerNetwork = max(1, self.unproven.limit / 4)
        self.provenOpeningPerNetwork = max(1, self.opening.limit * 3 / 4)
        self.perNetwork = max(1, connections * 3 / 4)
        self.mostStalling = max(1, connections / 4)
    }

    /// The most connections to strangers that may wait for the reply to a final dot for longer than others have.
    var mostEnding: Int { max(1, self.unproven.limit / 4) }

    private func count(_ standing: HostStanding) -> Int { self.beingOpened[standing, default: 0] }

    /// Whether one more may be opened, whatever the network.
    func allows(_ standing: HostStanding, at now: MonotonicInstant) -> Bool {
        switch standing {
        case .proven: self.count(.proven) < self.opening.limit
        case .silent: self.count(.silent) < self.openingToSilent && self.allows(.fresh, at: now)
        case .fresh: self.opening.allows(at: now) && self.unproven.allows(at: now)
        }
    }

    /// Whether one more may be opened in this network, as far as only that counts.
    func allows(isProven: Bool, in network: HostNetwork) -> Bool {
        isProven
            ? self.provenNetworks[network] < self.provenOpeningPerNetwork && self.allNetworks[network] < self.perNetwork
            : self.networks[network] < self.openingPerNetwork
                && self.unprovenNetworks[network] < self.unprovenPerNetwork
    }

    mutating func began(_ standing: HostStanding, in network: HostNetwork, at now: MonotonicInstant) {
        self.beingOpened[standing, default: 0] += 1
        self.allNetworks.add(network)
        guard standing != .proven else { return self.provenNetworks.add(network) }
        self.opening.take(at: now)
        self.networks.add(network)
        self.unproven.take(at: now)
        self.unprovenNetworks.add(network)
    }

    /// It is being opened no longer: it is open, or closed.
    mutating func openingEnded(_ standing: HostStanding, in network: HostNetwork) {
        self.beingOpened[standing, default: 0] -= 1
        guard standing != .proven else { return self.provenNetworks.remove(network) }
        self.opening.giveBack()
        self.networks.remove(network)
    }

    /// One to a host that was not proven is closed, or the host is proven now.
    mutating func unprovenEnded(in network: HostNetwork) {
        self.unproven.giveBack()
        self.unprovenNetworks.remove(network)
    }

    /// It is closed.
    mutating func closed(in network: HostNetwork) { self.allNetworks.remove(network) }
}

/// Connections of each network that has any.
private struct NetworkCounts: Hashable, Sendable {
    private var counts: [HostNetwork: Int] = [:]

    subscript(network: HostNetwork) -> Int { self.counts[network, default: 0] }

    mutating func add(_ network: HostNetwork) { self.counts[network, default: 0] += 1 }

    mutating func remove(_ network: HostNetwork) {
        guard let count = self.counts[network] else { return }
        self.counts[network] = count > 1 ? count - 1 : nil
    }
}

/// The addresses that count as one holder's: a /24, or a /64 of IPv6.
public struct HostNetwork: Hashable, Sendable {
    private let prefix: IPAddress

    /// The network of an address.
    public init(of address: IPAddress) {
        self.prefix = address.network(ipv4: 24, ipv6: 64)
    }
}

/// What sites and addresses have shown of themselves, for a while.
struct HostHistory<Key: Hashable & Sendable>: Sendable {
    /// For so long it counts that mail was delivered, and that nothing was said.
    static var provenTime: Duration { .seconds(86_400) }
    static var silentTime: Duration { .seconds(3600) }
    /// The most that are remembered of each kind; those longest ago are forgotten.
    static var limit: Int { 16_384 }

    private var proven: [Key: MonotonicInstant] = [:]
    private var silent: [Key: MonotonicInstant] = [:]

    func isProven(_ key: Key, at now: MonotonicInstant) -> Bool {
        self.proven[key].map { now < $0 + Self.provenTime } ?? false
    }

    func isSilent(_ key: Key, at now: MonotonicInstant) -> Bool {
        self.silent[key].map { now < $0 + Self.silentTime } ?? false
    }

    mutating func delivered(_ key: Key, at now: MonotonicInstant) {
        Self.store(now, of: key, in: &self.proven)
        self.silent[key] = nil
    }

    mutating func answered(_ key: Key) { self.silent[key] = nil }

    mutating func fellSilent(_ key: Key, at now: MonotonicInstant) {
        Self.store(now, of: key, in: &self.silent)
        self.proven[key] = nil
    }

    private static func store(_ now: MonotonicInstant, of key: Key, in book: inout [Key: MonotonicInstant]) {
        if book.count >= Self.limit, book[key] == nil {
            let oldest = book.sorted { $0.value < $1.value }
            for (key, _) in oldest.prefix(Self.limit / 2) { book[key] = nil }
        }
        book[key] = now
    }
}
