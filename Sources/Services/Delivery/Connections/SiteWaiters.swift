import DeliveryQueue
import MailModel

/// A worker of a destination that waits for a connection.
struct SiteWaiter {
    /// Who came first has the lowest.
    fileprivate(set) var number: UInt64 = 0
    let customer: SiteCustomer
    let targets: [ConnectionTarget]
    /// It waits even if its destination has a slot.
    let isPatient: Bool
    /// For whose mail it waits.
    let share: PoolShare
    /// What it waits for.
    fileprivate(set) var limit: ConnectionAdmission.Limit
    let since: MonotonicInstant
    let resume: @Sendable (SiteLine.Answer) -> Void

    init(
        customer: SiteCustomer, targets: [ConnectionTarget], isPatient: Bool, share: PoolShare = .all,
        limit: ConnectionAdmission.Limit, since: MonotonicInstant, resume: @escaping @Sendable (SiteLine.Answer) -> Void
    ) {
        self.customer = customer
        self.targets = targets
        self.isPatient = isPatient
        self.share = share
        self.limit = limit
        self.since = since
        self.resume = resume
    }

    fileprivate var isForAddress: Bool { if case .address = self.limit { true } else { false } }

    /// It waits only until it is known how many connections the address takes.
    fileprivate var isFindingOut: Bool { !self.isPatient && self.limit == .address(isGrowing: true) }
}

/// Who waits for a connection to which site, found by all that may end the wait. Bounded by the workers under way.
///
/// At a site those come last, however long they have waited, who wait for mail without a sender.
struct SiteWaiters {
    /// Those who wait at one site.
    private struct Line {
        private var numbers = WaitingLine<UInt64>()
        private var nullSenders = WaitingLine<UInt64>()

        var isEmpty: Bool { self.numbers.isEmpty && self.nullSenders.isEmpty }

        var first: UInt64? { self.numbers.first ?? self.nullSenders.first }

        func prefix(_ count: Int) -> [UInt64] {
            let first = self.numbers.prefix(count)
            return first.count < count ? first + self.nullSenders.prefix(count - first.count) : first
        }

        mutating func append(_ waiter: SiteWaiter) {
            switch waiter.share {
            case .all: self.numbers.append(waiter.number)
            case .nullSender: self.nullSenders.append(waiter.number)
            }
        }

        mutating func remove(_ number: UInt64) {
            if !self.numbers.remove(number) { self.nullSenders.remove(number) }
        }
    }

    private struct Site {
        var line = Line()
        /// The same, by the event loop of their customers.
        var ofEventLoop: [ObjectIdentifier: Line] = [:]
        var findingOut: Set<UInt64> = []
    }

    private var waiters: [UInt64: (site: ReceivingSite, waiter: SiteWaiter)] = [:]
    private var sites: [ReceivingSite: Site] = [:]
    private var all = WaitingLine<UInt64>()
    private var ofCustomer: [ObjectIdentifier: WaitingLine<UInt64>] = [:]
    /// Those who wait until one of their addresses takes more, by address.
    private var atAddress: [IPAddress: WaitingLine<UInt64>] = [:]
    /// Those who wait until one of their networks takes more, by that.
    private var atNetwork: [ConnectionAdmission.Obstacle: Int] = [:]
    private var counts: [ConnectionAdmission.Limit: Int] = [:]
    private var nextNumber: UInt64 = 0

    // MARK: Questions

    var isEmpty: Bool { self.waiters.isEmpty }

    subscript(_ number: UInt64) -> SiteWaiter? { self.waiters[number]?.waiter }

    func isAwaited(_ site: ReceivingSite) -> Bool { self.sites[site] != nil }

    /// How many wait for what.
    func count(_ limit: ConnectionAdmission.Limit) -> Int { self.counts[limit, default: 0] }

    func count(at address: IPAddress) -> Int { self.atAddress[address]?.count ?? 0 }

    /// How many wait for a connection in this network, to a host that has taken mail or to one that has not. Of mail
    /// without a sender, those count who wait for its half.
    func count(in network: HostNetwork, isProven: Bool, for share: PoolShare = .all) -> Int {
        let obstacle: ConnectionAdmission.Obstacle =
            share == .all ? .network(network, isProven: isProven) : .nullSenderNetwork(network, isProven: isProven)
        return self.atNetwork[obstacle, default: 0]
    }

    /// Who has waited longest of all.
    var first: SiteWaiter? { self.all.first.flatMap { self[$0] } }

    /// So many of those who have waited longest at a site, with mail without a sender last.
    func first(_ count: Int, at site: ReceivingSite) -> [SiteWaiter] {
        self.sites[site]?.line.prefix(count).compactMap { self[$0] } ?? []
    }

    /// Who has waited longest at a site, of this event loop's, with mail without a sender last.
    func first(at site: ReceivingSite, on eventLoop: ObjectIdentifier) -> SiteWaiter? {
        self.sites[site]?.ofEventLoop[eventLoop]?.first.flatMap { self[$0] }
    }

    /// All of one customer's.
    func all(of customer: SiteCustomer) -> [SiteWaiter] {
        self.ofCustomer[ObjectIdentifier(customer)]?.elements.compactMap { self[$0] } ?? []
    }

    /// All who wait until this address takes more.
    func all(at address: IPAddress) -> [SiteWaiter] {
        self.atAddress[address]?.elements.compactMap { self[$0] } ?? []
    }

    /// Those at a site who wait only until it is known how many connections an address takes; who came last is first.
    func findingOut(at site: ReceivingSite) -> [SiteWaiter] {
        self.sites[site]?.findingOut.sorted(by: >).compactMap { self[$0] } ?? []
    }

    func site(of waiter: SiteWaiter) -> ReceivingSite? { self.waiters[waiter.number]?.site }

    // MARK: Changes

    mutating func append(_ waiter: SiteWaiter, at site: ReceivingSite) {
        var waiter = waiter
        waiter.number = self.nextNumber
        self.nextNumber += 1
        let number = waiter.number
        self.waiters[number] = (site, waiter)
        self.all.append(number)
        self.ofCustomer[ObjectIdentifier(waiter.customer), default: WaitingLine()].append(number)
        self.sites[site, default: Site()].line.append(waiter)
        self.sites[site]?.ofEventLoop[waiter.customer.eventLoop, default: Line()].append(waiter)
        self.count(waiter, at: site, 1)
    }

    /// It waits no more, and its customer has one slot less.
    mutating func remove(_ waiter: SiteWaiter) {
        guard let (site, waiter) = self.waiters.removeValue(forKey: waiter.number) else { return }
        let number = waiter.number
        self.all.remove(number)
        Self.remove(number, from: &self.ofCustomer, ObjectIdentifier(waiter.customer))
        self.count(waiter, at: site, -1)
        self.sites[site]?.line.remove(number)
        if self.sites[site]?.line.isEmpty == true {
            self.sites[site] = nil
        } else if var loops = self.sites[site]?.ofEventLoop {
            self.sites[site]?.ofEventLoop = [:]
            loops[waiter.customer.eventLoop]?.remove(number)
            if loops[waiter.customer.eventLoop]?.isEmpty == true { loops[waiter.customer.eventLoop] = nil }
            self.sites[site]?.ofEventLoop = loops
        }
        waiter.customer.add(-1)
    }

    /// It waits for something else now.
    mutating func change(_ waiter: SiteWaiter, to limit: ConnectionAdmission.Limit) {
        guard let (site, before) = self.waiters[waiter.number], before.limit != limit else { return }
        self.count(before, at: site, -1)
        var after = before
        after.limit = limit
        self.waiters[waiter.number] = (site, after)
        self.count(after, at: site, 1)
    }

    private mutating func count(_ waiter: SiteWaiter, at site: ReceivingSite, _ change: Int) {
        self.counts[waiter.limit, default: 0] += change
        let number = waiter.number
        if waiter.isFindingOut {
            if change > 0 {
                self.sites[site]?.findingOut.insert(number)
            } else {
                self.sites[site]?.findingOut.remove(number)
            }
        }
        if waiter.isForAddress {
            for target in waiter.targets {
                if change > 0 {
                    self.atAddress[target.address, default: WaitingLine()].append(number)
                } else {
                    Self.remove(number, from: &self.atAddress, target.address)
                }
            }
        }
        for network in Set(waiter.targets.map { HostNetwork(of: $0.address) }) {
            let key: ConnectionAdmission.Obstacle
            switch waiter.limit {
            case .network(let isProven): key = .network(network, isProven: isProven)
            case .nullSenderNetwork(let isProven): key = .nullSenderNetwork(network, isProven: isProven)
            default: return
            }
            let count = self.atNetwork[key, default: 0] + change
            self.atNetwork[key] = count > 0 ? count : nil
        }
    }

    private static func remove<Key>(_ number: UInt64, from lines: inout [Key: WaitingLine<UInt64>], _ key: Key) {
        lines[key]?.remove(number)
        if lines[key]?.isEmpty == true { lines[key] = nil }
    }
}
