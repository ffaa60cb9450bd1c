import DeliveryQueue
import MailModel
import QueueStore

/// Who waits for a place at which site, and what becomes of them when a connection is opened or closed.
struct SiteLine {
    /// What is said to who asks for a place.
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

    /// The longest that anybody waits for a place. Then its destination makes room for others, and is found again.
    static let longestWait = Duration.seconds(300)

    struct Waiter {
        /// Who came first has the lowest.
        fileprivate(set) var number: UInt64 = 0
        let customer: SiteCustomer
        let targets: [ConnectionTarget]
        /// It waits even if its destination has a place.
        let isPatient: Bool
        /// What it waits for.
        var limit: ConnectionLedger.Limit
        let since: MonotonicInstant
        let resume: @Sendable (Answer) -> Void

        fileprivate var isForAddress: Bool { if case .address = self.limit { true } else { false } }
    }

    var ledger: ConnectionLedger
    /// Bounded by the destinations under way.
    private var waiting: [ReceivingSite: [Waiter]] = [:]
    /// Of those, the ones that any connection's end may help, not only one to their site.
    private var waitingElsewhere = 0
    /// How many wait for what.
    private var waitingFor: [ConnectionLedger.Limit: Int] = [:]
    /// How many wait until one of their addresses takes more, by address.
    private var waitingForAddress: [IPAddress: Int] = [:]
    private var failures = RecentFailures()
    private var nextNumber: UInt64 = 0
    /// Of strangers the newest and the oldest are next by turns: so many that wait as like hold up neither.
    private var isNewestNext = false

    /// Nobody waits.
    init(_ ledger: ConnectionLedger) { self.ledger = ledger }

    /// Whether anybody waits for a place at this site.
    func isAwaited(_ site: ReceivingSite) -> Bool { self.waiting[site] != nil }

    /// How many wait since hosts that are not proven, or the node, have as many connections as they may.
    var shortage: Int {
        self.waitingFor.reduce(0) { sum, entry in
            switch entry.key {
            case .pool, .node: sum + entry.value
            case .site, .address: sum
            }
        }
    }

    /// What is to become of a connection that is being opened.
    mutating func patience(
        with grant: ConnectionGrant, hasGreeted: Bool, at now: MonotonicInstant
    ) -> ConnectionLedger.Patience {
        let (waiting, node) = (self.waitingFor, self.waitingFor[.node, default: 0])
        let here = self.waitingForAddress[grant.address, default: 0]
        return self.ledger.patience(
            with: grant, hasGreeted: hasGreeted, strangers: waiting[.pool(.fresh), default: 0],
            others: { standing in
                let strangers = waiting[.pool(.fresh), default: 0] + waiting[.pool(.silent), default: 0]
                return node + here + (standing == .proven ? waiting[.pool(.proven), default: 0] : strangers)
            }, at: now)
    }

    /// A site waits that has no connection at all, since the node has as many as it may.
    var isOwed: Bool {
        self.waitingFor[.node, default: 0] > 0
            && self.waiting.contains { site, line in
                line.contains { $0.limit == .node } && self.ledger.count(of: site) == 0
            }
    }

    mutating func append(_ waiter: Waiter, at site: ReceivingSite) {
        var waiter = waiter
        waiter.number = self.nextNumber
        self.nextNumber += 1
        self.count(waiter, 1)
        self.waiting[site, default: []].append(waiter)
    }

    /// Takes the first of a site's line out of it for whom this holds.
    mutating func remove(
        at site: ReceivingSite, where isWanted: (Waiter) -> Bool
    ) -> Waiter? {
        guard var line = self.waiting[site], let index = line.firstIndex(where: isWanted) else { return nil }
        let waiter = line.remove(at: index)
        self.waiting[site] = line.isEmpty ? nil : line
        self.left(waiter)
        return waiter
    }

    mutating func removeAll(where isWanted: (Waiter) -> Bool) -> [Waiter] {
        var removed: [Waiter] = []
        for (site, line) in self.waiting where line.contains(where: isWanted) {
            removed += line.filter(isWanted)
            let rest = line.filter { !isWanted($0) }
            self.waiting[site] = rest.isEmpty ? nil : rest
        }
        for waiter in removed { self.left(waiter) }
        return removed
    }

    /// Takes those out of a site's line who would not stand there if they came now: their destination has a place, or waits already.
    mutating func removeSurplus(
        at site: ReceivingSite, where isWanted: (Waiter) -> Bool
    ) -> [Waiter] {
        guard let line = self.waiting[site] else { return [] }
        var (removed, rest): ([Waiter], [Waiter]) = ([], [])
        for waiter in line.reversed() {
            // While it waits it is one of those that it has.
            if !waiter.isPatient, isWanted(waiter), waiter.customer.places > 1 {
                removed.append(waiter)
                self.left(waiter)
            } else {
                rest.append(waiter)
            }
        }
        self.waiting[site] = rest.isEmpty ? nil : rest.reversed()
        return removed
    }

    private mutating func left(_ waiter: Waiter) {
        waiter.customer.add(-1)
        self.count(waiter, -1)
    }

    private mutating func count(_ waiter: Waiter, _ change: Int) {
        if waiter.limit != .site { self.waitingElsewhere += change }
        self.waitingFor[waiter.limit, default: 0] += change
        guard waiter.isForAddress else { return }
        for target in waiter.targets {
            let count = self.waitingForAddress[target.address, default: 0] + change
            self.waitingForAddress[target.address] = count > 0 ? count : nil
        }
    }

    // MARK: Addresses that fail

    /// What is said to who asks for a place now; `nil` when it may wait, for the limit that is given.
    mutating func ask(
        _ site: ReceivingSite, at targets: [ConnectionTarget], for customer: SiteCustomer, isPatient: Bool,
        now: MonotonicInstant
    ) -> (Answer?, ConnectionLedger.Limit) {
        switch self.ledger.open(site, at: targets, now: now) {
        case .granted(let grant):
            customer.add(1)
            return (.granted(grant), .node)
        case .resting(let time): return (.resting(time), .node)
        case .full(let limit):
            guard isPatient || limit == .address(isGrowing: true) || !customer.isPresent else { return (.full, limit) }
            guard let (address, failure) = self.failures.failure(among: targets, at: now) else { return (nil, limit) }
            return (self.tell(customer, of: address, failure, isPatient: isPatient, at: now), limit)
        }
    }

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
        guard self.ledger.isAlone(grant) else { return [] }
        self.failures.failed(grant, failure, at: now)
        guard self.waitingForAddress[grant.address] != nil else { return [] }
        let (failures, address) = (self.failures, grant.address)
        let concerned = self.waiting.filter { $0.value.contains(where: \.isForAddress) }.keys
        return concerned.flatMap { site in
            let gone = self.take(at: site) {
                $0.isForAddress && failures.failure(among: $0.targets, at: now)?.0 == address
            }
            // The first has left the line before it is told, and its destination's others stand there still.
            return gone.map { waiter in
                self.left(waiter)
                let answer = self.tell(
                    waiter.customer, of: address, failure.toldToOthers, isPatient: waiter.isPatient, at: now)
                return (waiter, answer)
            }
        }
    }

    private mutating func take(at site: ReceivingSite, where isWanted: (Waiter) -> Bool) -> [Waiter] {
        let line = self.waiting[site, default: []]
        let rest = line.filter { !isWanted($0) }
        self.waiting[site] = rest.isEmpty ? nil : rest
        return line.filter(isWanted)
    }

    /// A connection has succeeded.
    mutating func succeeded(_ grant: ConnectionGrant, at now: MonotonicInstant) -> [(Waiter, Answer)] {
        self.failures.succeeded(grant)
        self.ledger.succeeded(grant, at: now)
        return self.admit(after: grant)
    }

    /// Takes those out of the line who have waited too long.
    mutating func expire(at now: MonotonicInstant) -> [Waiter] {
        self.removeAll { $0.since + Self.longestWait <= now }
    }

    /// Takes those out of the line who may go on after a connection was opened or closed.
    mutating func admit(after grant: ConnectionGrant) -> [(Waiter, Answer)] {
        var told = self.admit(at: grant.site)
        guard self.waitingElsewhere > 0 else { return told }
        for turn in self.turns() where self.ledger.allows(turn.standing) {
            told += self.admit(at: turn.site, atMost: 1)
        }
        return told
    }

    private struct Turn {
        let site: ReceivingSite
        let standing: HostStanding
        /// The lowest is next.
        let order: (Int, Int, Int)
    }

    /// Whose turn it is, of those who wait for more than their site. Hosts that have taken mail lately come first, and those that
    /// said nothing last; of equals, who has the fewest connections, and then who has waited longest.
    private mutating func turns() -> [Turn] {
        self.isNewestNext.toggle()
        let now = MonotonicInstant.now
        let turns = self.waiting.compactMap { site, line -> Turn? in
            guard let first = line.first(where: { $0.limit != .site }),
                let standing = self.standing(of: site, at: first.targets, now: now)
            else { return nil }
            let (count, number) = (self.ledger.count(of: site), Int(first.number))
            switch standing {
            case .proven: return Turn(site: site, standing: standing, order: (0, count, number))
            case .fresh:
                return Turn(site: site, standing: standing, order: (1, count, self.isNewestNext ? -number : number))
            case .silent: return Turn(site: site, standing: standing, order: (2, count, number))
            }
        }
        return turns.sorted { $0.order < $1.order }
    }

    /// The best standing of a host at these addresses for which there is room.
    private func standing(
        of site: ReceivingSite, at targets: [ConnectionTarget], now: MonotonicInstant
    ) -> HostStanding? {
        let standings = Set(targets.map { self.ledger.standing(of: site, at: $0.address, now: now) })
        return [.proven, .fresh, .silent].first { standings.contains($0) && self.ledger.allows($0) }
    }

    /// Takes those out of one site's line who may go on, and those who would not stand there if they came now.
    private mutating func admit(
        at site: ReceivingSite, atMost count: Int = .max
    ) -> [(Waiter, Answer)] {
        guard let line = self.waiting[site] else { return [] }
        var told: [(Waiter, Answer)] = []
        var rest: [Waiter] = []
        for (index, waiter) in line.enumerated() {
            guard told.count < count, rest.count < Self.looks else {
                rest += line[index...]
                break
            }
            switch self.ledger.open(site, at: waiter.targets, now: .now) {
            case .granted(let grant):
                waiter.customer.add(1)
                self.left(waiter)
                told.append((waiter, .granted(grant)))
            case .resting(let time):
                self.left(waiter)
                told.append((waiter, .resting(time)))
            case .full(let limit):
                guard let (address, failure) = self.failures.failure(among: waiter.targets, at: .now) else {
                    rest.append(self.waits(waiter, for: limit))
                    continue
                }
                self.left(waiter)
                let answer = self.tell(
                    waiter.customer, of: address, failure, isPatient: waiter.isPatient, at: .now)
                told.append((waiter, answer))
            }
        }
        self.waiting[site] = rest.isEmpty ? nil : rest
        let isGrowing = rest.first?.limit == .address(isGrowing: true)
        let surplus = isGrowing ? [] : self.removeSurplus(at: site) { $0.limit == .address(isGrowing: true) }
        return told + surplus.map { ($0, .full) }
    }

    /// So many of a site's line are looked at who may not go on: most of them wait for the same.
    private static let looks = 4

    private mutating func waits(_ waiter: Waiter, for limit: ConnectionLedger.Limit) -> Waiter {
        self.count(waiter, -1)
        var waiter = waiter
        waiter.limit = limit
        self.count(waiter, 1)
        return waiter
    }
}
