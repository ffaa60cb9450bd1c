import MailModel

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
/// Anybody can make the node connect to as many hosts of his as he likes, and let it wait there. So connections that are being opened
/// have a pool of their own, a quarter of all, with at most a quarter of that for one network (/24, /64), and half of it for hosts
/// that were silent before. Those to hosts that have taken mail lately have a quarter beside it. And until it has taken mail a
/// host's connection counts as one of a stranger's, who together never have more than half of all, and those
/// of one network a quarter of that half: a host that greets, and then says no more, holds no more either.
struct ConnectionPools: Hashable, Sendable {
    /// The most connections being opened to hosts that are not proven; as many may be to hosts that are.
    let opening: Int
    /// Of those, the most in one network.
    let openingPerNetwork: Int
    /// Of those, the most to hosts that were silent.
    let openingToSilent: Int
    /// The most to hosts that are not proven, opened or not.
    let unproven: Int
    /// Of those, the most in one network.
    let unprovenPerNetwork: Int

    private var beingOpened: [HostStanding: Int] = [:]
    private var networks: [HostNetwork: Int] = [:]
    private var unprovenCount = 0
    private var unprovenNetworks: [HostNetwork: Int] = [:]

    /// - Parameter connections: those of the whole node.
    init(connections: Int) {
        self.opening = max(1, connections / 4)
        self.openingPerNetwork = max(1, self.opening / 4)
        self.openingToSilent = max(1, self.opening / 2)
        self.unproven = max(1, connections / 2)
        self.unprovenPerNetwork = max(1, self.unproven / 4)
    }

    private func count(_ standing: HostStanding) -> Int { self.beingOpened[standing, default: 0] }

    /// Whether one more may be opened.
    func allows(_ standing: HostStanding, in network: HostNetwork) -> Bool {
        guard self.allows(standing) else { return false }
        guard standing != .proven else { return true }
        return self.networks[network, default: 0] < self.openingPerNetwork
            && self.unprovenNetworks[network, default: 0] < self.unprovenPerNetwork
    }

    /// The same, whatever the network.
    func allows(_ standing: HostStanding) -> Bool {
        switch standing {
        case .proven: self.count(.proven) < self.opening
        case .silent: self.count(.silent) < self.openingToSilent && self.allows(.fresh)
        case .fresh: self.count(.fresh) + self.count(.silent) < self.opening && self.unprovenCount < self.unproven
        }
    }

    mutating func began(_ standing: HostStanding, in network: HostNetwork) {
        self.beingOpened[standing, default: 0] += 1
        guard standing != .proven else { return }
        self.networks[network, default: 0] += 1
        self.unprovenCount += 1
        self.unprovenNetworks[network, default: 0] += 1
    }

    /// It is being opened no longer: it is open, or closed.
    mutating func openingEnded(_ standing: HostStanding, in network: HostNetwork) {
        self.beingOpened[standing, default: 0] -= 1
        guard standing != .proven, let count = self.networks[network] else { return }
        self.networks[network] = count > 1 ? count - 1 : nil
    }

    /// One to a host that was not proven is closed, or the host is proven now.
    mutating func unprovenEnded(in network: HostNetwork) {
        self.unprovenCount -= 1
        guard let count = self.unprovenNetworks[network] else { return }
        self.unprovenNetworks[network] = count > 1 ? count - 1 : nil
    }
}

/// The addresses that count as one holder's: a /24, or a /64 of IPv6.
struct HostNetwork: Hashable, Sendable {
    private let prefix: IPAddress

    init(of address: IPAddress) {
        self.prefix = address.network(ipv4: 24, ipv6: 64)
    }
}

/// What sites and addresses have shown of themselves, for a while.
struct StandingBook<Key: Hashable & Sendable>: Sendable {
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

    var count: Int { self.proven.count + self.silent.count }

    private static func store(_ now: MonotonicInstant, of key: Key, in book: inout [Key: MonotonicInstant]) {
        if book.count >= Self.limit, book[key] == nil {
            let oldest = book.sorted { $0.value < $1.value }
            for (key, _) in oldest.prefix(Self.limit / 2) { book[key] = nil }
        }
        book[key] = now
    }
}
