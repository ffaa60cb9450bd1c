public import MailModel

/// One address of a receiving host, and our ways there.
public struct ConnectionTarget: Hashable, Sendable {
    /// The address.
    public let address: IPAddress
    /// The port.
    public let port: UInt16
    /// Our ways to it; at least one.
    public let ways: [Egress]

    /// An address, and the ways to it.
    public init(_ address: IPAddress, _ port: UInt16, by ways: [Egress]) {
        self.address = address
        self.port = port
        self.ways = ways
    }
}

/// The right to one connection.
public struct ConnectionGrant: Hashable, Sendable {
    /// No other has it.
    public let id: UInt64
    /// Whose it is.
    public let site: ReceivingSite
    /// Where it leads.
    public let address: IPAddress
    /// To which port.
    public let port: UInt16
    /// Where it comes from.
    public let egress: Egress
}

/// Who may open a connection to a receiving host: decisions only.
///
/// There are limits for each site, for each address, as far as that takes more (`ConnectionWindow`), for hosts that have not taken
/// mail yet (`ConnectionPools`), and for the node, whose connections are shared by `FairShares`.
public struct ConnectionLedger: Sendable {
    /// What came of asking for a connection.
    public enum Answer: Hashable, Sendable {
        /// It may be opened, and is counted.
        case granted(ConnectionGrant)
        /// Not now, for this reason.
        case full(Limit)
        /// The addresses have just turned us away, and nothing is open there: ask again after so long.
        case resting(Duration)
    }

    /// What leaves no room.
    public enum Limit: Hashable, Sendable {
        /// The site has as many as the operator allows.
        case site
        /// The addresses take no more, as far as is known; while their windows grow, that is about to be found out.
        case address(isGrowing: Bool)
        /// As many are being opened as may be to hosts of this standing, or to their network, or hosts that have not taken mail yet
        /// have all that they may.
        case pool(HostStanding)
        /// The node has as many as it may.
        case node

        /// Of what several addresses wait for, the one that takes the least to end.
        fileprivate static func nearer(_ left: Self, _ right: Self?) -> Self {
            guard let right else { return left }
            return left.distance < right.distance ? left : right
        }

        private var distance: Int {
            switch self {
            case .node: 0
            case .pool(.proven): 1
            case .pool(.fresh): 2
            case .address(isGrowing: true): 3
            case .address(isGrowing: false): 4
            case .pool(.silent): 5
            case .site: 6
            }
        }
    }

    /// What is to become of a connection that is being opened.
    public enum Patience: Hashable, Sendable {
        /// It waits on.
        case stay
        /// Somebody of whom nothing is known waits, too: it is closed, and its message waits in line.
        case giveWay
        /// It has had all the time that there is while others wait: the host has failed.
        case timeIsUp
    }

    /// What a host of which nothing is known has for its greeting, before it gives way to others. Many hosts greet late on purpose,
    /// after six seconds, to find out who does not wait.
    public static let firstLook = Duration.seconds(8)
    /// What any host has while others wait.
    public static let longestLook = Duration.seconds(30)

    /// A connection.
    private struct Record {
        let standing: HostStanding
        let network: HostNetwork
        let since: MonotonicInstant
        var isBeingOpened = true
        /// The host has taken no mail yet.
        var isUnproven: Bool
        var isLeaving = false
        /// The host has said something.
        var hasGreeted = false
    }

    private struct Door: Hashable {
        let address: IPAddress
        let port: UInt16
        let egress: Egress

        init(address: IPAddress, port: UInt16, egress: Egress) {
            self.address = address
            self.port = port
            self.egress = egress
        }

        init(_ target: ConnectionTarget, _ egress: Egress) {
            self.init(address: target.address, port: target.port, egress: egress)
        }
    }

    private struct Entry {
        var window = ConnectionWindow()
        var lastUsed: MonotonicInstant
    }

    /// For so long an address is remembered after its last connection.
    static let memory = Duration.seconds(600)
    /// The most addresses without a connection that are remembered; those that were used last.
    public static let mostRemembered = 16_384

    private var sites: SiteLedger
    private var doors: [Door: Entry] = [:]
    private var shares: FairShares<ReceivingSite>
    private var pools: ConnectionPools
    private var siteStandings = StandingBook<ReceivingSite>()
    private var addressStandings = StandingBook<IPAddress>()
    private var records: [UInt64: Record] = [:]
    /// Connections that were told to give way.
    private var leaving = 0
    private var nextID: UInt64 = 0
    private var sweepsAt = 1024

    /// - Parameter connections: those of the whole node.
    public init(limits: SiteLimits, connections: Int) {
        self.sites = SiteLedger(limits: limits)
        self.shares = FairShares(connections)
        self.pools = ConnectionPools(connections: connections)
    }

    // MARK: Opening

    /// A connection to the first of these addresses that has room.
    public mutating func open(
        _ site: ReceivingSite, at targets: [ConnectionTarget], now: MonotonicInstant
    ) -> Answer {
        var (limit, rest): (Limit?, Duration?) = (nil, nil)
        for target in targets {
            var ways = target.ways
            // The way that the site's limit prefers may have no room at the address.
            while let egress = self.sites.way(to: site, of: ways) {
                switch self.window(Door(target, egress)).room(at: now) {
                case .free:
                    let standing = self.standing(of: site, at: target.address, now: now)
                    guard self.pools.allows(standing, in: HostNetwork(of: target.address)) else {
                        limit = Limit.nearer(.pool(standing), limit)
                        break
                    }
                    guard self.shares.take(site) else { return .full(.node) }
                    return .granted(self.open(site, target, egress, now: now))
                case .full(let isGrowing): limit = Limit.nearer(.address(isGrowing: isGrowing), limit)
                case .resting(let time): rest = min(time, rest ?? time)
                }
                ways.removeAll { $0 == egress }
            }
        }
        if let limit { return .full(limit) }
        return rest.map { .resting($0) } ?? .full(.site)
    }

    private mutating func open(
        _ site: ReceivingSite, _ target: ConnectionTarget, _ egress: Egress, now: MonotonicInstant
    ) -> ConnectionGrant {
        self.sweep(at: now)
        self.sites.open(site, by: egress, at: now)
        self.doors[Door(target, egress), default: Entry(lastUsed: now)].window.began()
        let standing = self.standing(of: site, at: target.address, now: now)
        let network = HostNetwork(of: target.address)
        self.pools.began(standing, in: network)
        self.nextID += 1
        self.records[self.nextID] = Record(
            standing: standing, network: network, since: now, isUnproven: standing != .proven)
        return ConnectionGrant(
            id: self.nextID, site: site, address: target.address, port: target.port, egress: egress)
    }

    /// How many connections a site has.
    public func count(of site: ReceivingSite) -> Int { self.shares.count(of: site) }

    /// What a host has shown of itself lately.
    public func standing(of site: ReceivingSite, at address: IPAddress, now: MonotonicInstant) -> HostStanding {
        if self.siteStandings.isProven(site, at: now) || self.addressStandings.isProven(address, at: now) {
            return .proven
        }
        let isSilent = self.siteStandings.isSilent(site, at: now) || self.addressStandings.isSilent(address, at: now)
        return isSilent ? .silent : .fresh
    }

    /// Whether there is room for one more to a host of this standing, as far as only that counts.
    public func allows(_ standing: HostStanding) -> Bool { self.pools.allows(standing) }

    // MARK: What becomes of a connection

    /// It is open: it may carry mail.
    public mutating func succeeded(_ grant: ConnectionGrant, at now: MonotonicInstant) {
        self.openingEnded(grant)
        self.siteStandings.answered(grant.site)
        self.addressStandings.answered(grant.address)
        self.change(grant, at: now) { $0.succeeded(at: now) }
    }

    /// It was turned away before it could carry mail. Gives how many the address takes, where others work; `nil` where none does.
    ///
    /// - Parameter inSilence: nothing was said at all.
    public mutating func turnedAway(_ grant: ConnectionGrant, inSilence: Bool, at now: MonotonicInstant) -> Int? {
        let size = self.change(grant, at: now) { $0.turnedAway(at: now) ? $0.size(at: now) : nil }
        let hasGreeted = self.records[grant.id]?.hasGreeted == true
        if inSilence, !hasGreeted, size == nil { self.fellSilent(grant, at: now) }
        return size
    }

    /// Whether nothing works at its address, and nothing has come to work since it was begun.
    public func isAlone(_ grant: ConnectionGrant) -> Bool {
        guard let since = self.records[grant.id]?.since else { return false }
        let door = Door(address: grant.address, port: grant.port, egress: grant.egress)
        return !self.window(door).hasWorked(since: since)
    }

    /// Mail was delivered over it.
    public mutating func delivered(_ grant: ConnectionGrant, at now: MonotonicInstant) {
        self.siteStandings.delivered(grant.site, at: now)
        self.addressStandings.delivered(grant.address, at: now)
        self.unprovenEnded(grant)
    }

    /// What is to become of a connection that is being opened, while so many wait for their turn.
    ///
    /// - Parameters:
    ///   - hasGreeted: the host has said something, so it gives way to nobody.
    ///   - strangers: those that wait for the pool of hosts that are not proven and of which nothing is known.
    ///   - others: all that wait for the same as this one, or for any connection at all.
    public mutating func patience(
        with grant: ConnectionGrant, hasGreeted: Bool, strangers: Int, others: (HostStanding) -> Int,
        at now: MonotonicInstant
    ) -> Patience {
        // Once is enough: over a second connection in the same place it is awaited again.
        if hasGreeted { self.records[grant.id]?.hasGreeted = true }
        guard let record = self.records[grant.id], record.isBeingOpened, !record.isLeaving else { return .stay }
        let waited = now - record.since
        if waited >= Self.longestLook, others(record.standing) > self.leaving {
            self.leaves(grant)
            return .timeIsUp
        }
        guard record.standing == .fresh, !record.hasGreeted, waited >= Self.firstLook, strangers > self.leaving else {
            return .stay
        }
        self.leaves(grant)
        self.fellSilent(grant, at: now)
        return .giveWay
    }

    private mutating func leaves(_ grant: ConnectionGrant) {
        self.records[grant.id]?.isLeaving = true
        self.leaving += 1
    }

    private mutating func fellSilent(_ grant: ConnectionGrant, at now: MonotonicInstant) {
        self.siteStandings.fellSilent(grant.site, at: now)
        self.addressStandings.fellSilent(grant.address, at: now)
    }

    private mutating func openingEnded(_ grant: ConnectionGrant) {
        guard let record = self.records[grant.id], record.isBeingOpened else { return }
        self.records[grant.id]?.isBeingOpened = false
        self.pools.openingEnded(record.standing, in: record.network)
    }

    private mutating func unprovenEnded(_ grant: ConnectionGrant) {
        guard let record = self.records[grant.id], record.isUnproven else { return }
        self.records[grant.id]?.isUnproven = false
        self.pools.unprovenEnded(in: record.network)
    }

    /// It is closed.
    public mutating func close(_ grant: ConnectionGrant, wasEstablished: Bool, at now: MonotonicInstant) {
        self.openingEnded(grant)
        self.unprovenEnded(grant)
        if self.records.removeValue(forKey: grant.id)?.isLeaving == true { self.leaving -= 1 }
        self.shares.giveBack(grant.site)
        self.sites.close(grant.site, by: grant.egress, at: now)
        self.change(grant, at: now) { $0.ended(wasEstablished: wasEstablished) }
    }

    /// Takes the right to send one message now; or says how long it is until there is one.
    public mutating func send(over grant: ConnectionGrant, at now: MonotonicInstant) -> Duration? {
        self.sites.send(to: grant.site, by: grant.egress, at: now)
    }

    // MARK: Memory

    /// Addresses that are remembered, each way there for itself.
    public var addressCount: Int { self.doors.count }

    private func window(_ door: Door) -> ConnectionWindow { self.doors[door]?.window ?? ConnectionWindow() }

    private mutating func change<Result>(
        _ grant: ConnectionGrant, at now: MonotonicInstant, _ change: (inout ConnectionWindow) -> Result
    ) -> Result {
        let door = Door(address: grant.address, port: grant.port, egress: grant.egress)
        var entry = self.doors[door] ?? Entry(lastUsed: now)
        entry.lastUsed = now
        let result = change(&entry.window)
        self.doors[door] = entry
        return result
    }

    private mutating func sweep(at now: MonotonicInstant) {
        guard self.doors.count >= self.sweepsAt else { return }
        let since = now + (.zero - Self.memory)
        self.doors = self.doors.filter { $0.value.window.connections > 0 || $0.value.lastUsed > since }
        let idle = self.doors.filter { $0.value.window.connections == 0 }
        if idle.count > Self.mostRemembered {
            let oldest = idle.sorted { $0.value.lastUsed < $1.value.lastUsed }
            for (door, _) in oldest.prefix(idle.count - Self.mostRemembered / 2) { self.doors[door] = nil }
        }
        self.sweepsAt = max(1024, min(2 * self.doors.count, self.doors.count + Self.mostRemembered))
    }
}
