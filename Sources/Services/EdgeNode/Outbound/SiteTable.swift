import DeliveryQueue
import MailModel
import QueueStore
import Synchronization

/// The places for connections to receiving sites, shared out among all destinations of the node.
///
/// Who finds a site full waits in line, and holds nothing meanwhile. A destination waits once: its other workers have
/// nothing to wait for that the first would not get.
final class SiteTable: Sendable {
    /// What came of asking for a place.
    enum Opened: Sendable {
        case place(SitePlace)
        /// A connection to the site has become free on this event loop: look whether it serves.
        case link
        /// The site is full, and the destination has a place there, or waits for one.
        case full
        /// The destination takes no place any more.
        case withdrawn
    }

    private enum Answer {
        case egress(Egress)
        case link
        case full
        case withdrawn
    }

    private struct Waiter {
        let customer: SiteCustomer
        let ways: [Egress]
        let resume: CheckedContinuation<Answer, Never>
    }

    private struct State {
        var ledger: SiteLedger
        /// Bounded by the destinations under way.
        var waiting: [ReceivingSite: [Waiter]] = [:]
    }

    private let limits: SiteLimits
    private let connections: FairBudget<ReceivingSite>
    private let state: Mutex<State>

    /// - Parameter connections: those of the whole node.
    init(limits: SiteLimits, connections: Int) {
        self.limits = limits
        self.connections = FairBudget(connections)
        self.state = Mutex(State(ledger: SiteLedger(limits: limits)))
    }

    /// The site at the end of a route.
    func site(hosts: [DomainName], configured address: IPAddress?) -> ReceivingSite {
        if hosts.isEmpty, let address { return .address(address) }
        return self.limits.site(of: hosts)
    }

    /// A place for one connection, by one of these ways.
    ///
    /// - Parameters:
    ///   - isPatient: wait for it even if the destination has another.
    ///   - whenFull: called before waiting; places that are kept for nobody may be given back now.
    func open(
        _ site: ReceivingSite, by ways: [Egress], for customer: SiteCustomer, isPatient: Bool,
        whenFull: (ReceivingSite) -> Void
    ) async -> Opened {
        switch await self.ask(site, by: ways, for: customer, isPatient: isPatient, whenFull: whenFull) {
        case .full: return .full
        case .link: return .link
        case .withdrawn: return .withdrawn
        case .egress(let egress):
            // From here on the place at the site is kept, and given back with the one of the node.
            guard await self.connections.acquire(for: site) else {
                customer.add(-1)
                self.giveBack(site, by: egress)
                return .withdrawn
            }
            let place = SitePlace(site, egress, table: self, holder: customer)
            // It may have been long until there was one.
            return customer.isWithdrawn.load(ordering: .relaxed) ? .withdrawn : .place(place)
        }
    }

    /// A place at the site alone, or what else came of waiting for one.
    private func ask(
        _ site: ReceivingSite, by ways: [Egress], for customer: SiteCustomer, isPatient: Bool,
        whenFull: (ReceivingSite) -> Void
    ) async -> Answer {
        await withCheckedContinuation { continuation in
            let answer = self.state.withLock { state -> Answer? in
                guard !customer.isWithdrawn.load(ordering: .relaxed) else { return .withdrawn }
                if let egress = state.ledger.open(site, by: ways, at: .now) {
                    customer.add(1)
                    return .egress(egress)
                }
                guard isPatient || !customer.isPresent else { return .full }
                customer.add(1)
                state.waiting[site, default: []].append(
                    Waiter(customer: customer, ways: ways, resume: continuation))
                return nil
            }
            if let answer { continuation.resume(returning: answer) } else { whenFull(site) }
        }
    }

    /// Whether anybody waits for a place at this site.
    func isAwaited(_ site: ReceivingSite) -> Bool { self.state.withLock { $0.waiting[site] != nil } }

    /// A site waits that has no connection at all, since the node has as many as it may: one that can be closed is.
    var isOwed: Bool { self.connections.isOwed }

    /// A connection to the site has become free on this event loop: who has waited longest there is told. `false` when
    /// nobody waits there.
    func offer(_ site: ReceivingSite, on eventLoop: ObjectIdentifier) -> Bool {
        let told = self.state.withLock { state -> Waiter? in
            guard var waiters = state.waiting[site],
                let index = waiters.firstIndex(where: { $0.customer.eventLoop == eventLoop })
            else { return nil }
            let waiter = waiters.remove(at: index)
            state.waiting[site] = waiters.isEmpty ? nil : waiters
            waiter.customer.add(-1)
            return waiter
        }
        told?.resume.resume(returning: .link)
        return told != nil
    }

    /// Takes the right to send one message; or says how long it is until there is one.
    func send(by place: SitePlace) -> Duration? {
        self.state.withLock { $0.ledger.send(to: place.site, by: place.egress, at: .now) }
    }

    /// The destination takes no place any more; its worker that waits is told so.
    func withdraw(_ customer: SiteCustomer) {
        let told = self.state.withLock { state in
            customer.isWithdrawn.store(true, ordering: .relaxed)
            var told: [Waiter] = []
            for (site, waiters) in state.waiting where waiters.contains(where: { $0.customer === customer }) {
                told += waiters.filter { $0.customer === customer }
                let left = waiters.filter { $0.customer !== customer }
                state.waiting[site] = left.isEmpty ? nil : left
            }
            customer.add(-told.count)
            return told
        }
        for waiter in told { waiter.resume.resume(returning: .withdrawn) }
    }

    /// Gives a place back, to the one who has waited longest.
    func close(_ site: ReceivingSite, by egress: Egress) {
        self.connections.release(site)
        self.giveBack(site, by: egress)
    }

    private func giveBack(_ site: ReceivingSite, by egress: Egress) {
        let next = self.state.withLock { state -> (Waiter, Egress)? in
            state.ledger.close(site, by: egress, at: .now)
            guard var waiters = state.waiting[site] else { return nil }
            for index in waiters.indices {
                guard let opened = state.ledger.open(site, by: waiters[index].ways, at: .now) else { continue }
                let waiter = waiters.remove(at: index)
                state.waiting[site] = waiters.isEmpty ? nil : waiters
                return (waiter, opened)
            }
            return nil
        }
        if let (waiter, opened) = next { waiter.resume.resume(returning: .egress(opened)) }
    }
}
