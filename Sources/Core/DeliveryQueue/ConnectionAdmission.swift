public import MailModel

/// Who may open a connection to a receiving host: decisions only.
///
/// There are limits for each site and for each address, as far as that takes more (`ConnectionWindow`). There are
/// limits for hosts that have not taken mail yet (`ConnectionBudgets`), and for the node, whose connections
/// `FairShares` divides.
public struct ConnectionAdmission: Sendable {
    /// What came of asking for a connection.
    public enum Answer: Hashable, Sendable {
        /// It may be opened, and is counted.
        case granted(ConnectionGrant)
        /// Not now, for this reason.
        case full(Limit)
        /// The addresses have just refused a connection, and nothing is open there: ask again after so long.
        case resting(Duration)
    }

    /// The limit that is reached.
    public enum Limit: Hashable, Sendable {
        /// The site has as many as the operator allows.
        case site
        /// The addresses take no more, as far as is known; while their windows grow, that is about to be found out.
        case address(isGrowing: Bool)
        /// Hosts of the network have all that they may: those that have taken mail lately, or those that have not.
        case network(isProven: Bool)
        /// As many are being opened as may be to hosts of this standing. Or hosts that have not taken mail yet have all
        /// that they may.
        case pool(HostStanding)
        /// Mail without a sender has its half of what such hosts may have in the network.
        case nullSenderNetwork(isProven: Bool)
        /// Mail without a sender has its half of a pool.
        case nullSenderPool(HostStanding)
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
            case .pool(.proven), .nullSenderPool(.proven): 1
            case .pool(.fresh), .nullSenderPool(.fresh): 2
            case .network, .nullSenderNetwork: 3
            case .address(isGrowing: true): 4
            case .address(isGrowing: false): 5
            case .pool(.silent), .nullSenderPool(.silent): 6
            case .site: 7
            }
        }
    }

    /// What must change before a connection may be opened that may not be now.
    public enum Obstacle: Hashable, Sendable {
        /// A connection to the site must end.
        case site
        /// One to this address must end, or its window widen.
        case address(IPAddress)
        /// One in this network, to a host of this kind, must end, be open or be proven.
        case network(HostNetwork, isProven: Bool)
        /// One to a host of this standing must end, be open or be proven.
        case pool(HostStanding)
        /// One for mail without a sender, to a host of this kind in this network, must end, be open or be proven.
        case nullSenderNetwork(HostNetwork, isProven: Bool)
        /// One for mail without a sender, to a host of this standing, must end, be open or be proven.
        case nullSenderPool(HostStanding)
        /// Any connection must end.
        case node
    }

    private enum Search {
        case found(ConnectionTarget, Egress, HostStanding)
        case full(Limit, Set<Obstacle>)
        case resting(Duration)
    }

    /// What is to become of a connection that is being opened.
    public enum Patience: Hashable, Sendable {
        /// It waits on.
        case stay
        /// Somebody of whom nothing is known waits, too: it is closed, and its message waits in line.
        case giveWay
        /// It has had all the time that there is while others wait: the host has failed. Behind a final dot the message may have
        /// been delivered.
        case timeIsUp
    }

    /// What a host of which nothing is known has for its greeting, before it gives way to others. Many hosts greet late on purpose,
    /// after six seconds, to find out who does not wait.
    public static let firstLook = Duration.seconds(8)
    /// The same while more of them wait than may be tried at once: most hosts greet within a second.
    public static let hurriedLook = Duration.seconds(2)
    /// What any host has while others wait, and what one that has not taken mail has for each answer.
    public static let longestLook = Duration.seconds(30)
    /// What a host that has not taken mail has for all answers together, up to its first message, while others wait.
    public static let longestTalk = Duration.seconds(300)

    /// A connection.
    private struct Record {
        let standing: HostStanding
        let network: HostNetwork
        let since: MonotonicInstant
        /// When the connection that has its slot now was begun.
        var triedSince: MonotonicInstant
        var isBeingOpened = true
        /// The host has taken no mail yet.
        var isUnproven: Bool
        var isLeaving = false
        /// The host has said something.
        var hasGreeted = false
        /// It has not answered a final dot for long.
        var isEnding = false
        /// The host has taken mail, and has not answered for long.
        var isStalling = false
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

    private var sites: SiteUsage
    private var doors: [Door: Entry] = [:]
    private var shares: FairShares<ReceivingSite>
    private var pools: DividedBudgets
    private var siteStandings = HostHistory<ReceivingSite>()
    private var addressStandings = HostHistory<IPAddress>()
    private var records: [UInt64: Record] = [:]
    /// Connections that were told to give way.
    private var leaving = 0
    /// Connections to hosts that are not proven, and do not answer a final dot.
    private var ending = 0
    /// Connections to hosts that are proven, and do not answer a command.
    private var stalling = 0
    private var nextID: UInt64 = 0
    private var sweepsAt = 1024

    /// - Parameter connections: those of the whole node.
    public init(limits: SiteLimits, connections: Int) {
        self.sites = SiteUsage(limits: limits)
        self.shares = FairShares(connections)
        self.pools = DividedBudgets(
            connections: connections, firstLook: Self.hurriedLook, longestLook: Self.longestLook)
    }

    /// Other limits hold for sites from now on; see `SiteUsage`.
    public mutating func replace(_ limits: SiteLimits) { self.sites.replace(limits) }

    // MARK: Opening

    /// A connection to the first of these addresses that may have one.
    public mutating func open(
        _ site: ReceivingSite, at targets: [ConnectionTarget], for share: PoolShare = .all, now: MonotonicInstant
    ) -> Answer {
        switch self.search(site, targets, share, now) {
        case .found(let target, let egress, let standing):
            guard self.shares.take(site) else { return .full(.node) }
            return .granted(self.open(site, target, egress, standing, share, now: now))
        case .full(let limit, _): return .full(limit)
        case .resting(let time): return .resting(time)
        }
    }

    /// What keeps a connection to any of these addresses from being opened, for each address the first obstacle. It is
    /// empty where one may be opened, or where only time helps.
    public func obstacles(
        to site: ReceivingSite, at targets: [ConnectionTarget], for share: PoolShare = .all, now: MonotonicInstant
    ) -> Set<Obstacle> {
        if case .full(_, let obstacles) = self.search(site, targets, share, now) { return obstacles }
        return []
    }

    private func search(
        _ site: ReceivingSite, _ targets: [ConnectionTarget], _ share: PoolShare, _ now: MonotonicInstant
    ) -> Search {
        var (limit, rest, obstacles): (Limit?, Duration?, Set<Obstacle>) = (nil, nil, [])
        for target in targets {
            var sources = target.sources
            // The source that the site's limit prefers may have no slot at the address.
            while let egress = self.sites.source(to: site, of: sources) {
                switch self.window(Door(target, egress)).capacity(at: now) {
                case .free:
                    let standing = self.standing(of: site, at: target.address, now: now)
                    let network = HostNetwork(of: target.address)
                    guard let (full, obstacle) = self.pools.obstacle(to: standing, in: network, for: share, at: now)
                    else { return self.shares.allows(site) ? .found(target, egress, standing) : .full(.node, [.node]) }
                    limit = Limit.nearer(full, limit)
                    obstacles.insert(obstacle)
                case .full(let isGrowing):
                    limit = Limit.nearer(.address(isGrowing: isGrowing), limit)
                    obstacles.insert(.address(target.address))
                case .resting(let time): rest = min(time, rest ?? time)
                }
                sources.removeAll { $0 == egress }
            }
        }
        if let limit { return .full(limit, obstacles) }
        return rest.map { .resting($0) } ?? .full(.site, [.site])
    }

    private mutating func open(
        _ site: ReceivingSite, _ target: ConnectionTarget, _ egress: Egress, _ standing: HostStanding,
        _ share: PoolShare, now: MonotonicInstant
    ) -> ConnectionGrant {
        self.sweep(at: now)
        self.sites.open(site, by: egress, at: now)
        self.doors[Door(target, egress), default: Entry(lastUsed: now)].window.began()
        let network = HostNetwork(of: target.address)
        self.pools.began(standing, in: network, for: share, at: now)
        self.nextID += 1
        self.records[self.nextID] = Record(
            standing: standing, network: network, since: now, triedSince: now, isUnproven: standing != .proven)
        return ConnectionGrant(
            id: self.nextID, site: site, address: target.address, port: target.port, egress: egress, share: share)
    }

    /// The sizes of the pools for hosts that have not taken mail: of connections being opened, and of all. Each has a
    /// size for one network. The last is the most in one network to hosts that have taken mail.
    public static func poolSizes(
        connections: Int, share: PoolShare = .all
    ) -> (
        opening: Int, openingPerNetwork: Int, unproven: Int, unprovenPerNetwork: Int, provenOpeningPerNetwork: Int,
        perNetwork: Int
    ) {
        let pools = DividedBudgets(connections: connections, firstLook: hurriedLook, longestLook: longestLook)[share]
        return (
            pools.opening.limit, pools.openingPerNetwork, pools.unproven.limit, pools.unprovenPerNetwork,
            pools.provenOpeningPerNetwork, pools.perNetwork
        )
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

    /// Whether an obstacle may be gone, as far as can be told without a site.
    public func mayBeGone(_ obstacle: Obstacle, at now: MonotonicInstant) -> Bool {
        switch obstacle {
        case .site, .address: true
        case .network(let network, let isProven): self.pools.all.allows(isProven: isProven, in: network)
        case .pool(let standing): self.pools.all.allows(standing, at: now)
        case .nullSenderNetwork(let network, let isProven):
            self.pools.nullSender.allows(isProven: isProven, in: network)
        case .nullSenderPool(let standing): self.pools.nullSender.allows(standing, at: now)
        case .node: self.shares.hasFree
        }
    }

    // MARK: What becomes of a connection

    /// It is open: it may carry mail.
    public mutating func succeeded(_ grant: ConnectionGrant, at now: MonotonicInstant) {
        self.openingEnded(grant)
        self.siteStandings.answered(grant.site)
        self.addressStandings.answered(grant.address)
        self.change(grant, at: now) { $0.succeeded(at: now) }
    }

    /// The host refused it before it could carry mail. Gives how many the address takes, where others work; `nil` where
    /// none does.
    ///
    /// - Parameter inSilence: nothing was said at all.
    public mutating func refused(_ grant: ConnectionGrant, inSilence: Bool, at now: MonotonicInstant) -> Int? {
        let size = self.change(grant, at: now) { $0.refused(at: now) ? $0.size(at: now) : nil }
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
        self.noteEnding(grant, false)
    }

    /// What is to become of a connection that waits for its host, while so many wait for their turn.
    ///
    /// - Parameters:
    ///   - phase: what the host is waited for.
    ///   - strangers: those that wait for the pools of unproven hosts of which nothing is known, or for the
    ///     connection's network. Behind a connection for mail without a sender these are also those that wait for its
    ///     half.
    ///   - others: all that wait for the same as this one, or for any connection at all.
    ///   - takers: those that wait for any connection at all, or for one in its network to a host that has taken mail.
    public mutating func patience(
        with grant: ConnectionGrant, in phase: ConnectionPhase, strangers: Int, others: (HostStanding) -> Int,
        takers: Int, at now: MonotonicInstant
    ) -> Patience {
        guard let record = self.records[grant.id], !record.isLeaving else { return .stay }
        switch phase {
        case .opening(let hasGreeted):
            // Once is enough: over a second connection in the same slot it is awaited again.
            if hasGreeted { self.greeted(grant) }
            guard record.isBeingOpened else { return .stay }
            let waited = now - record.triedSince
            if waited >= Self.longestLook, others(record.standing) > self.leaving {
                self.leaves(grant)
                return .timeIsUp
            }
            let look = strangers > self.pools[grant.share].opening.limit ? Self.hurriedLook : Self.firstLook
            guard record.standing == .fresh, !hasGreeted, !record.hasGreeted, waited >= look,
                strangers > self.leaving
            else { return .stay }
            self.leaves(grant)
            self.fellSilent(grant, at: now)
            return .giveWay
        case .talking(let stalled, let isEnding):
            guard record.isUnproven else {
                // Its message may be delivered: the reply to a final dot is waited for.
                self.noteStalling(grant, stalled >= Self.longestLook && !isEnding)
                guard self.records[grant.id]?.isStalling == true, self.stalling > self.pools.all.mostStalling,
                    takers > self.leaving
                else { return .stay }
                self.noteStalling(grant, false)
                self.leaves(grant)
                self.fellSilent(grant, at: now)
                return .timeIsUp
            }
            self.noteEnding(grant, isEnding && stalled >= Self.longestLook)
            let isOverdue = stalled >= Self.longestLook || now - record.since >= Self.longestTalk
            guard isOverdue, strangers > self.leaving, !isEnding || self.ending > self.pools.all.mostEnding else {
                return .stay
            }
            self.leaves(grant)
            self.fellSilent(grant, at: now)
            return .timeIsUp
        case .sending, .idle:
            self.noteEnding(grant, false)
            self.noteStalling(grant, false)
            return .stay
        }
    }

    private mutating func noteEnding(_ grant: ConnectionGrant, _ isEnding: Bool) {
        guard let record = self.records[grant.id], record.isEnding != isEnding else { return }
        self.records[grant.id]?.isEnding = isEnding
        self.ending += isEnding ? 1 : -1
    }

    private mutating func noteStalling(_ grant: ConnectionGrant, _ isStalling: Bool) {
        guard let record = self.records[grant.id], record.isStalling != isStalling else { return }
        self.records[grant.id]?.isStalling = isStalling
        self.stalling += isStalling ? 1 : -1
    }

    private mutating func leaves(_ grant: ConnectionGrant) {
        self.records[grant.id]?.isLeaving = true
        self.leaving += 1
    }

    /// Another connection follows in its slot, which offers less TLS: it may be waited for as long again.
    public mutating func retries(_ grant: ConnectionGrant, at now: MonotonicInstant) {
        guard let record = self.records[grant.id] else { return }
        if record.isLeaving { self.leaving -= 1 }
        self.records[grant.id]?.isLeaving = false
        self.records[grant.id]?.triedSince = now
    }

    private mutating func fellSilent(_ grant: ConnectionGrant, at now: MonotonicInstant) {
        self.siteStandings.fellSilent(grant.site, at: now)
        self.addressStandings.fellSilent(grant.address, at: now)
    }

    /// The host has said something: it counts among those being opened no longer. One that stalls now holds what one that stalls
    /// later holds.
    private mutating func greeted(_ grant: ConnectionGrant) {
        guard let record = self.records[grant.id], record.isBeingOpened, !record.hasGreeted else { return }
        self.records[grant.id]?.hasGreeted = true
        self.pools.openingEnded(record.standing, in: record.network, for: grant.share)
    }

    private mutating func openingEnded(_ grant: ConnectionGrant) {
        self.greeted(grant)
        self.records[grant.id]?.isBeingOpened = false
    }

    private mutating func unprovenEnded(_ grant: ConnectionGrant) {
        guard let record = self.records[grant.id], record.isUnproven else { return }
        self.records[grant.id]?.isUnproven = false
        self.pools.unprovenEnded(in: record.network, for: grant.share)
    }

    /// It is closed.
    public mutating func close(_ grant: ConnectionGrant, wasEstablished: Bool, at now: MonotonicInstant) {
        self.openingEnded(grant)
        self.unprovenEnded(grant)
        self.noteEnding(grant, false)
        self.noteStalling(grant, false)
        if let record = self.records.removeValue(forKey: grant.id) {
            if record.isLeaving { self.leaving -= 1 }
            self.pools.closed(in: record.network, for: grant.share)
        }
        self.shares.giveBack(grant.site)
        self.sites.close(grant.site, by: grant.egress, at: now)
        self.change(grant, at: now) { $0.ended(wasEstablished: wasEstablished) }
    }

    /// Takes the right to send one message now; or says how long it is until there is one.
    public mutating func send(over grant: ConnectionGrant, at now: MonotonicInstant) -> Duration? {
        self.sites.send(to: grant.site, by: grant.egress, at: now)
    }

    // MARK: Memory

    /// Addresses that are remembered, each egress source for itself.
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
