import DeliveryQueue
import MailModel
import QueueStore

/// Who waits for a slot at which site, and what becomes of them when a connection is opened or closed.
///
/// A site stands in a line for each obstacle that keeps its first waiters from a connection
/// (`ConnectionAdmission.Obstacle`). Events of a connection remove obstacles, and only those are looked at who wait for
/// these. However many wait, the work is in proportion to the slots that are given out.
struct SiteLine {
    /// What is said to who asks for a slot.
    enum Answer {
        case granted(ConnectionGrant)
        case link
        case full
        case resting(Duration)
        /// One of the addresses has just failed so, for everybody.
        case failed(IPAddress, HostFailure)
        /// It has waited as long as anybody may.
        case expired
        case withdrawn
    }

    typealias Waiter = SiteWaiter
    private typealias Obstacle = ConnectionAdmission.Obstacle

    /// The longest that anybody waits for a slot. Then its destination gives its turn to others, and is found again.
    static let longestWait = Duration.seconds(300)
    /// So many of a site's line are looked at who may not go on: most of them wait for the same.
    private static let looksAtSite = 4
    /// So many sites are looked at in one event that may not go on; what is left is looked at by the next `look`.
    private static let looksAtOnce = 16
    private static let standings: [HostStanding] = [.proven, .fresh, .silent]
    /// What takes more as time passes: the pools of strangers.
    private static let paced: [Obstacle] = [
        .pool(.fresh), .pool(.silent), .nullSenderPool(.fresh), .nullSenderPool(.silent),
    ]
    /// How often addresses that refused a connection are looked at: their windows widen by time.
    private static let wideningInterval = Duration.seconds(1)

    /// Where a site stands.
    private struct Position {
        var obstacles: Set<Obstacle>
        var rank: SiteRank
    }

    var admission: ConnectionAdmission
    /// Sites looked at so far, whether or not their waiters may go on.
    private(set) var looks = 0
    private var waiters = SiteWaiters()
    private var positions: [ReceivingSite: Position] = [:]
    private var turns: [Obstacle: SiteTurns] = [:]
    /// What has been given back, and not been looked at to the end.
    private var unfinished: Set<Obstacle> = []
    /// Sites whose first waiter may go on, as far as is known.
    private var unsettled: Set<ReceivingSite> = []
    /// Addresses that wait for time to pass.
    private var narrowed: Set<IPAddress> = []
    private var lastWidening = MonotonicInstant(nanoseconds: 0)
    private var failures = RecentFailures()
    /// Of strangers the newest and the oldest are next by turns: so many that wait as like hold up neither.
    private var isNewestNext = false

    /// Nobody waits.
    init(_ admission: ConnectionAdmission) { self.admission = admission }

    // MARK: Questions

    /// Whether nobody waits at all.
    var isEmpty: Bool { self.waiters.isEmpty }

    /// Whether anybody waits for a slot at this site.
    func isAwaited(_ site: ReceivingSite) -> Bool { self.waiters.isAwaited(site) }

    /// How many wait for each limit that all share.
    var shortage: ConnectionShortage {
        ConnectionShortage(
            pool: Self.standings.reduce(0) { $0 + self.waiters.count(.pool($1)) },
            network: self.waiters.count(.network(isProven: false)),
            provenNetwork: self.waiters.count(.network(isProven: true)),
            nullSenders: self.waiters.count(.nullSenderNetwork(isProven: false))
                + self.waiters.count(.nullSenderNetwork(isProven: true))
                + Self.standings.reduce(0) { $0 + self.waiters.count(.nullSenderPool($1)) },
            node: self.waiters.count(.node),
            address: self.waiters.count(.address(isGrowing: true)) + self.waiters.count(.address(isGrowing: false)))
    }

    /// A site waits that has no connection at all, since the node has as many as it may, or the network of this address.
    func isOwed(by address: IPAddress) -> Bool {
        [.node, .network(HostNetwork(of: address), isProven: true)].contains {
            self.turns[$0]?.hasSiteWithout ?? false
        }
    }

    /// What is to become of a connection that waits for its host.
    mutating func patience(
        with grant: ConnectionGrant, in phase: ConnectionPhase, at now: MonotonicInstant
    ) -> ConnectionAdmission.Patience {
        let (waiters, network) = (self.waiters, HostNetwork(of: grant.address))
        // Its slot is of use to all who wait for its pool. In the half for mail without a sender it is of use to those
        // who wait for that.
        func inPool(_ standing: HostStanding) -> Int {
            waiters.count(.pool(standing)) + (grant.share == .all ? 0 : waiters.count(.nullSenderPool(standing)))
        }
        func inNetwork(isProven: Bool) -> Int {
            waiters.count(in: network, isProven: isProven)
                + (grant.share == .all ? 0 : waiters.count(in: network, isProven: isProven, for: .nullSender))
        }
        let strangers = inPool(.fresh) + inNetwork(isProven: false)
        let (node, here) = (waiters.count(.node), waiters.count(at: grant.address))
        let takers = node + inNetwork(isProven: true)
        return self.admission.patience(
            with: grant, in: phase, strangers: strangers,
            others: { standing in
                let peers = standing == .proven ? inPool(.proven) : strangers + inPool(.silent)
                return takers + here + peers
            }, takers: takers, at: now)
    }

    // MARK: Coming and going

    /// What is said to who asks for a slot now; `nil` when it may wait, for the limit that is given.
    mutating func ask(
        _ site: ReceivingSite, at targets: [ConnectionTarget], for customer: SiteCustomer, isPatient: Bool,
        share: PoolShare = .all, now: MonotonicInstant
    ) -> (Answer?, ConnectionAdmission.Limit) {
        switch self.admission.open(site, at: targets, for: share, now: now) {
        case .granted(let grant):
            customer.add(1)
            self.settle(site, at: now)
            return (.granted(grant), .node)
        case .resting(let time): return (.resting(time), .node)
        case .full(let limit):
            guard isPatient || limit == .address(isGrowing: true) || !self.isServed(customer, share) else {
                return (.full, limit)
            }
            guard let (address, failure) = self.failures.failure(among: targets, at: now) else { return (nil, limit) }
            return (self.tell(customer, of: address, failure, isPatient: isPatient, at: now), limit)
        }
    }

    /// A destination has a slot, or waits for one. Where it waits only for mail without a sender, it is not served for other mail,
    /// which would have its turn much sooner.
    private func isServed(_ customer: SiteCustomer, _ share: PoolShare) -> Bool {
        guard share == .all else { return customer.isPresent }
        return customer.slots > self.waiters.all(of: customer).count { $0.share == .nullSender }
    }

    mutating func append(_ waiter: Waiter, at site: ReceivingSite, now: MonotonicInstant) {
        self.waiters.append(waiter, at: site)
        self.settle(site, at: now)
    }

    /// Takes the first of an event loop out of a site's line.
    mutating func removeFirst(
        at site: ReceivingSite, on eventLoop: ObjectIdentifier, now: MonotonicInstant
    ) -> Waiter? {
        guard let waiter = self.waiters.first(at: site, on: eventLoop) else { return nil }
        self.remove([waiter], at: now)
        return waiter
    }

    mutating func removeAll(of customer: SiteCustomer, at now: MonotonicInstant) -> [Waiter] {
        let removed = self.waiters.all(of: customer)
        self.remove(removed, at: now)
        return removed
    }

    /// Takes those out of a site's line who would not stand there if they came now, since it is known how many the
    /// addresses take. Their destination has a slot, or waits already.
    ///
    /// - Parameter customer: only this one's.
    mutating func removeSurplus(
        at site: ReceivingSite, of customer: SiteCustomer? = nil, now: MonotonicInstant
    ) -> [Waiter] {
        let candidates =
            customer.map { self.waiters.all(of: $0).reversed() } ?? self.waiters.findingOut(at: site)
        var removed: [Waiter] = []
        let (last, first) = (candidates.filter { $0.share == .all }, candidates.filter { $0.share == .nullSender })
        for waiter in first + last where !waiter.isPatient && self.waiters.site(of: waiter) == site {
            // While it waits it is one of those that it has.
            if waiter.customer.slots > 1 {
                self.waiters.remove(waiter)
                removed.append(waiter)
            } else if waiter.limit == .address(isGrowing: true) {
                self.waiters.change(waiter, to: .address(isGrowing: false))
            }
        }
        self.settle(site, at: now)
        return removed
    }

    /// Takes those out of the line who have waited too long.
    mutating func expire(at now: MonotonicInstant) -> [Waiter] {
        var expired: [Waiter] = []
        while let first = self.waiters.first, first.since + Self.longestWait <= now {
            self.remove([first], at: now)
            expired.append(first)
        }
        return expired
    }

    private mutating func remove(_ waiters: [Waiter], at now: MonotonicInstant) {
        let sites = Set(waiters.compactMap { self.waiters.site(of: $0) })
        for waiter in waiters { self.waiters.remove(waiter) }
        for site in sites { self.settle(site, at: now) }
    }

    /// Other limits hold for sites: those that wait for one of their own are looked at soon.
    mutating func replace(_ limits: SiteLimits) {
        self.admission.replace(limits)
        for (site, position) in self.positions where position.obstacles.contains(.site) { self.unsettled.insert(site) }
    }

    // MARK: Addresses that fail

    /// One worker of a destination is told of a failure; the others go, as its message is charged with it, and not theirs.
    private func tell(
        _ customer: SiteCustomer, of address: IPAddress, _ failure: HostFailure, isPatient: Bool,
        at now: MonotonicInstant
    ) -> Answer {
        guard !isPatient else { return .failed(address, failure) }
        guard !customer.isPresent, customer.isToldNow(at: now) else { return .full }
        return .failed(address, failure)
    }

    /// A connection has failed in a way that costs everybody time. Where none works, those are told who wait for its address.
    mutating func failed(
        _ grant: ConnectionGrant, _ failure: HostFailure, at now: MonotonicInstant
    ) -> [(Waiter, Answer)] {
        guard self.admission.isAlone(grant) else { return [] }
        self.failures.failed(grant, failure, at: now)
        let gone = self.waiters.all(at: grant.address).filter {
            self.failures.failure(among: $0.targets, at: now)?.0 == grant.address
        }
        // All have left the line before one is told.
        self.remove(gone, at: now)
        return gone.map { waiter in
            (
                waiter,
                self.tell(
                    waiter.customer, of: grant.address, failure.toldToOthers, isPatient: waiter.isPatient, at: now)
            )
        }
    }

    /// A connection has succeeded.
    mutating func succeeded(_ grant: ConnectionGrant, at now: MonotonicInstant) -> [(Waiter, Answer)] {
        self.failures.succeeded(grant)
        self.admission.succeeded(grant, at: now)
        return self.admit(after: grant, at: now)
    }

    // MARK: Turns

    /// Takes those out of the line who may go on after a connection was opened, proven or closed.
    ///
    /// - Parameter isProven: its host has just taken mail.
    mutating func admit(
        after grant: ConnectionGrant, isProven: Bool = false, at now: MonotonicInstant
    ) -> [(Waiter, Answer)] {
        guard !self.waiters.isEmpty else { return [] }
        var told: [(Waiter, Answer)] = []
        var looks = Self.looksAtOnce
        let own = self.positions[grant.site]?.obstacles ?? []
        if isProven || own.contains(.site) || own.contains(.address(grant.address)) {
            told += self.admit(at: grant.site, at: now)
        } else {
            // It may have another rank.
            self.settle(grant.site, at: now)
        }
        let network = HostNetwork(of: grant.address)
        var obstacles: [Obstacle] = [
            .address(grant.address), .node, .pool(.proven), .network(network, isProven: true),
            .network(network, isProven: false), .pool(.fresh), .pool(.silent),
        ]
        if grant.share == .nullSender {
            obstacles += [true, false].map { .nullSenderNetwork(network, isProven: $0) }
            obstacles += Self.standings.map { .nullSenderPool($0) }
        }
        for obstacle in obstacles { told += self.admit(waitingFor: obstacle, &looks, at: now) }
        self.settle(grant.site, at: now)
        return told
    }

    /// Takes those out of the line who may go on since time has passed.
    mutating func look(at now: MonotonicInstant) -> [(Waiter, Answer)] {
        var told: [(Waiter, Answer)] = []
        var looks = Self.looksAtOnce
        for site in exchange(&self.unsettled, with: []) { told += self.admit(at: site, at: now) }
        for obstacle in exchange(&self.unfinished, with: []).union(Self.paced) {
            told += self.admit(waitingFor: obstacle, &looks, at: now)
        }
        guard now >= self.lastWidening + Self.wideningInterval else { return told }
        self.lastWidening = now
        for address in self.narrowed {
            if self.turns[.address(address)] == nil { self.narrowed.remove(address) }
            var looks = 1
            told += self.admit(waitingFor: .address(address), &looks, at: now)
        }
        return told
    }

    private mutating func admit(
        waitingFor obstacle: Obstacle, _ looks: inout Int, at now: MonotonicInstant
    ) -> [(Waiter, Answer)] {
        var told: [(Waiter, Answer)] = []
        var passedOver: [SiteRank] = []
        while self.turns[obstacle] != nil, self.admission.mayBeGone(obstacle, at: now) {
            let next = self.turns[obstacle]?.next(newest: self.isNewestNext) { rank in
                // Who has as many connections of the node or more may have no other, either.
                passedOver.contains { $0 == rank || obstacle == .node && $0.count <= rank.count }
            }
            guard let (rank, site) = next else { break }
            guard looks > 0 else {
                self.unfinished.insert(obstacle)
                break
            }
            let admitted = self.admit(at: site, atMost: 1, at: now)
            told += admitted
            if !admitted.isEmpty {
                if rank.standing == .fresh { self.isNewestNext.toggle() }
                continue
            }
            looks -= 1
            if let position = self.positions[site], position.rank == rank, position.obstacles.contains(obstacle) {
                passedOver.append(rank)
            }
        }
        return told
    }

    /// Takes those out of one site's line who may go on, and those who would not stand there if they came now.
    private mutating func admit(
        at site: ReceivingSite, atMost count: Int = .max, at now: MonotonicInstant
    ) -> [(Waiter, Answer)] {
        var told: [(Waiter, Answer)] = []
        var rest: [UInt64] = []
        self.looks += 1
        while told.count < count, rest.count < Self.looksAtSite,
            let waiter = self.waiters.first(rest.count + 1, at: site).dropFirst(rest.count).first
        {
            switch self.admission.open(site, at: waiter.targets, for: waiter.share, now: now) {
            case .granted(let grant):
                waiter.customer.add(1)
                self.waiters.remove(waiter)
                told.append((waiter, .granted(grant)))
            case .resting(let time):
                self.waiters.remove(waiter)
                told.append((waiter, .resting(time)))
            case .full(let limit):
                guard let (address, failure) = self.failures.failure(among: waiter.targets, at: now) else {
                    self.waiters.change(waiter, to: limit)
                    rest.append(waiter.number)
                    continue
                }
                self.waiters.remove(waiter)
                told.append(
                    (waiter, self.tell(waiter.customer, of: address, failure, isPatient: waiter.isPatient, at: now)))
            }
        }
        let isGrowing = self.waiters.first(1, at: site).first?.limit == .address(isGrowing: true)
        let surplus = isGrowing ? [] : self.removeSurplus(at: site, now: now)
        self.settle(site, at: now)
        return told + surplus.map { ($0, .full) }
    }

    /// Puts a site into the lines where it belongs by now.
    private mutating func settle(_ site: ReceivingSite, at now: MonotonicInstant) {
        let first = self.waiters.first(Self.looksAtSite, at: site)
        let before = self.positions[site]
        if first.isEmpty, before == nil { return }
        var after: Position?
        if let waiter = first.first {
            var obstacles = first.reduce(into: Set<Obstacle>()) {
                $0.formUnion(self.admission.obstacles(to: site, at: $1.targets, for: $1.share, now: now))
            }
            // Its turn is about to come, or it is looked at soon.
            if obstacles.isEmpty {
                self.unsettled.insert(site)
                obstacles = before?.obstacles ?? []
            } else {
                self.unsettled.remove(site)
            }
            after = Position(
                obstacles: obstacles,
                rank: SiteRank(
                    share: waiter.share, standing: self.standing(of: site, at: waiter.targets, now: now),
                    count: self.admission.count(of: site))
            )
        }
        self.move(site, from: before, to: after)
        if first.contains(where: { $0.limit == .address(isGrowing: false) }), let after {
            for case .address(let address) in after.obstacles { self.narrowed.insert(address) }
        }
    }

    private mutating func move(_ site: ReceivingSite, from before: Position?, to after: Position?) {
        self.positions[site] = after
        if let before {
            for obstacle in before.obstacles
            where after?.rank != before.rank || after?.obstacles.contains(obstacle) != true {
                self.turns[obstacle]?.remove(site, before.rank)
                if self.turns[obstacle]?.isEmpty == true { self.turns[obstacle] = nil }
            }
        }
        guard let after else {
            self.unsettled.remove(site)
            return
        }
        for obstacle in after.obstacles { self.turns[obstacle, default: SiteTurns()].append(site, after.rank) }
    }

    /// The best standing of a host at these addresses.
    private func standing(
        of site: ReceivingSite, at targets: [ConnectionTarget], now: MonotonicInstant
    ) -> HostStanding {
        let standings = Set(targets.map { self.admission.standing(of: site, at: $0.address, now: now) })
        return [.proven, .fresh].first { standings.contains($0) } ?? .silent
    }
}
