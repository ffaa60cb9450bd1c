import DeliveryQueue
import QueueStore

/// Who waits for a place at which site, and what becomes of them when a connection is opened or closed.
struct SiteLine {
    /// What is said to who asks for a place.
    enum Answer {
        case granted(ConnectionGrant)
        case link
        case full
        case resting(Duration)
        case withdrawn
    }

    struct Waiter {
        /// Who came first has the lowest.
        fileprivate(set) var number: UInt64 = 0
        let customer: SiteCustomer
        let targets: [ConnectionTarget]
        /// It waits even if its destination has a place.
        let isPatient: Bool
        /// What it waits for.
        var limit: ConnectionLedger.Limit
        let resume: CheckedContinuation<Answer, Never>
    }

    var ledger: ConnectionLedger
    /// Bounded by the destinations under way.
    private var waiting: [ReceivingSite: [Waiter]] = [:]
    /// Of those, the ones that any connection's end may help, not only one to their site.
    private var waitingElsewhere = 0
    private var nextNumber: UInt64 = 0

    /// Nobody waits.
    init(_ ledger: ConnectionLedger) { self.ledger = ledger }

    /// Whether anybody waits for a place at this site.
    func isAwaited(_ site: ReceivingSite) -> Bool { self.waiting[site] != nil }

    /// A site waits that has no connection at all, since the node has as many as it may.
    var isOwed: Bool {
        self.waitingElsewhere > 0
            && self.waiting.contains { site, line in
                line.contains { $0.limit == .node } && self.ledger.count(of: site) == 0
            }
    }

    mutating func append(_ waiter: Waiter, at site: ReceivingSite) {
        var waiter = waiter
        waiter.number = self.nextNumber
        self.nextNumber += 1
        if waiter.limit != .site { self.waitingElsewhere += 1 }
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
        if waiter.limit != .site { self.waitingElsewhere -= 1 }
    }

    /// Takes those out of the line who may go on after a connection was opened or closed.
    mutating func admit(after grant: ConnectionGrant) -> [(Waiter, Answer)] {
        var told = self.admit(at: grant.site)
        guard self.waitingElsewhere > 0 else { return told }
        // Who has the fewest connections is next, and of equals who has waited longest.
        let order = self.waiting.compactMap { site, line in
            line.first { $0.limit != .site }.map { (site, self.ledger.count(of: site), $0.number) }
        }
        for (site, _, _) in order.sorted(by: { ($0.1, $0.2) < ($1.1, $1.2) }) {
            told += self.admit(at: site, atMost: 1)
        }
        return told
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
            case .full(let limit): rest.append(self.waits(waiter, for: limit))
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
        self.waitingElsewhere += (limit == .site ? 0 : 1) - (waiter.limit == .site ? 0 : 1)
        var waiter = waiter
        waiter.limit = limit
        return waiter
    }
}
