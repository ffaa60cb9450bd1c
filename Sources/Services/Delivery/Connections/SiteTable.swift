package import DeliveryQueue
import MailModel
import QueueStore
import Synchronization

/// The slots for connections to receiving sites, shared out among all destinations of the node, as `ConnectionAdmission` says.
///
/// Whoever gets no slot waits in line, and holds nothing meanwhile. A destination waits once: its other workers have
/// nothing to wait for that the first would not get. Only while it is being found out how many connections an address
/// takes do all of them wait.
package final class SiteTable: Sendable {
    /// What came of asking for a slot.
    enum Opened: Sendable {
        case slot(ConnectionSlot)
        /// A connection to the site has become free on this event loop: look whether it serves.
        case link
        /// No slot is free, and the destination has one at the site, or waits for one.
        case full
        /// The addresses have just refused a connection: ask again after so long.
        case resting(Duration)
        /// The address has just failed so for another delivery, and no slot is free to try it as well.
        case failed(IPAddress, HostFailure)
        /// No slot was free for as long as anybody may wait: the destination gives its turn to others.
        case expired
        /// The destination takes no slot any more.
        case withdrawn
    }

    /// Told when connections, or slots for destinations, run out.
    let shortages: ConnectionShortages?
    private let time: any NodeClock
    private let state: Mutex<SiteLine>
    /// Slots that nobody released.
    private let abandoned = Mutex<[(grant: ConnectionGrant, wasEstablished: Bool)]>([])

    /// - Parameter connections: those of the whole node.
    /// - Parameter shortages: told when connections run out.
    init(
        limits: SiteLimits, connections: Int, time: any NodeClock, shortages: ConnectionShortages? = nil
    ) {
        self.time = time
        self.shortages = shortages
        self.state = Mutex(SiteLine(ConnectionAdmission(limits: limits, connections: connections)))
    }

    /// Other limits hold from now on. Connections beyond them end with their message.
    package func replace(_ limits: SiteLimits) { self.state.withLock { $0.replace(limits) } }

    /// A slot for one connection to the first of these addresses that may have one.
    ///
    /// - Parameters:
    ///   - isPatient: wait for it even if the destination has another.
    ///   - share: for whose mail it is.
    ///   - whenFull: called before waiting; slots that are kept for nobody may be given back now.
    func open(
        _ site: ReceivingSite, at targets: [ConnectionTarget], for customer: SiteCustomer, isPatient: Bool,
        share: PoolShare = .all, whenFull: (ReceivingSite) -> Void
    ) async -> Opened {
        switch await self.ask(site, at: targets, for: customer, isPatient: isPatient, share: share, whenFull: whenFull)
        {
        case .full: return .full
        case .resting(let time): return .resting(time)
        case .link: return .link
        case .failed(let address, let failure): return .failed(address, failure)
        case .expired: return .expired
        case .withdrawn: return .withdrawn
        case .granted(let grant):
            // Whoever gets it releases it.
            let slot = ConnectionSlot(grant, table: self, holder: customer)
            // It may have been long until there was one.
            guard customer.isWithdrawn.load(ordering: .relaxed) else { return .slot(slot) }
            slot.release()
            return .withdrawn
        }
    }

    private func ask(
        _ site: ReceivingSite, at targets: [ConnectionTarget], for customer: SiteCustomer, isPatient: Bool,
        share: PoolShare, whenFull: (ReceivingSite) -> Void
    ) async -> SiteLine.Answer {
        await withCheckedContinuation { continuation in
            let (answer, shortage) = self.state.withLock { state -> (SiteLine.Answer?, ConnectionShortage) in
                let now = self.time.now
                guard !customer.isWithdrawn.load(ordering: .relaxed) else { return (.withdrawn, state.shortage) }
                let (answer, limit) = state.ask(
                    site, at: targets, for: customer, isPatient: isPatient, share: share, now: now)
                if answer == nil {
                    customer.add(1)
                    state.append(
                        SiteLine.Waiter(
                            customer: customer, targets: targets, isPatient: isPatient, share: share, limit: limit,
                            since: now,
                            resume: { continuation.resume(returning: $0) }), at: site, now: now)
                }
                return (answer, state.shortage)
            }
            self.shortages?.observed(shortage, at: self.time.now)
            if let answer { continuation.resume(returning: answer) } else { whenFull(site) }
        }
    }

    /// Whether anybody waits for a slot at this site.
    func isAwaited(_ site: ReceivingSite) -> Bool { self.state.withLock { $0.isAwaited(site) } }

    /// A site waits that has no connection at all, since the node, or the network of this address, has as many as it
    /// may. One that can be closed is closed.
    func isOwed(by address: IPAddress) -> Bool { self.state.withLock { $0.isOwed(by: address) } }

    /// A connection to the site has become free on this event loop: who has waited longest there is told. `false` when
    /// nobody waits there.
    func offer(_ site: ReceivingSite, on eventLoop: ObjectIdentifier) -> Bool {
        let told = self.state.withLock { state in
            state.removeFirst(at: site, on: eventLoop, now: self.time.now)
        }
        told?.resume(.link)
        return told != nil
    }

    /// Takes the right to send one message; or says how long it is until there is one.
    func send(by slot: ConnectionSlot) -> Duration? {
        self.state.withLock { $0.admission.send(over: slot.grant, at: self.time.now) }
    }

    /// The destination takes no slot any more; its worker that waits is told so.
    func withdraw(_ customer: SiteCustomer) {
        let told = self.state.withLock { state in
            customer.isWithdrawn.store(true, ordering: .relaxed)
            return state.removeAll(of: customer, at: self.time.now)
        }
        for waiter in told { waiter.resume(.withdrawn) }
    }

    /// How often it is asked what time alone has changed, while somebody waits and while nobody does.
    private static let (busyInterval, idleInterval) = (Duration.milliseconds(100), Duration.seconds(1))

    /// Lets those go on who wait for time to pass, and nobody wait for too long. It runs until it is cancelled.
    func watch() async {
        var pause = Self.idleInterval
        while (try? await self.time.sleep(for: pause)) != nil {
            pause = self.look(at: self.time.now) ? Self.busyInterval : Self.idleInterval
        }
    }

    /// Those who have waited too long need not wait any more, and some may have their turn. Whether anybody still waits.
    @discardableResult
    func look(at now: MonotonicInstant) -> Bool {
        for (grant, wasEstablished) in self.abandoned.withLock({ exchange(&$0, with: []) }) {
            self.close(grant, wasEstablished: wasEstablished)
        }
        let (told, shortage, isBusy) = self.state.withLock { state in
            let expired = state.expire(at: now).map { ($0, SiteLine.Answer.expired) }
            return (expired + state.look(at: now), state.shortage, !state.isEmpty)
        }
        self.shortages?.observed(shortage, at: self.time.now)
        for (waiter, answer) in told { waiter.resume(answer) }
        return isBusy
    }

    // MARK: What becomes of a slot

    /// Its connection may carry mail.
    func succeeded(_ grant: ConnectionGrant) {
        let told = self.state.withLock { state in
            state.succeeded(grant, at: self.time.now)
        }
        for (waiter, answer) in told { waiter.resume(answer) }
    }

    /// The host refused its connection before it could carry mail. Gives how many the address takes, where others work;
    /// `nil` where none does.
    ///
    /// Those who waited to find out need not wait any more. Where others work these are all but one of a destination,
    /// and else all of the destination that has just found out.
    func refused(_ grant: ConnectionGrant, of customer: SiteCustomer?, inSilence: Bool) -> Int? {
        let (size, told) = self.state.withLock { state in
            let now = self.time.now
            let size = state.admission.refused(grant, inSilence: inSilence, at: now)
            guard size == nil else { return (size, state.removeSurplus(at: grant.site, now: now)) }
            return (size, customer.map { state.removeSurplus(at: grant.site, of: $0, now: now) } ?? [])
        }
        for waiter in told { waiter.resume(.full) }
        return size
    }

    /// Its connection failed in a way that costs everybody time who waits for the address. Where none works, they are told.
    func failed(_ grant: ConnectionGrant, _ failure: HostFailure) {
        let told = self.state.withLock { $0.failed(grant, failure, at: self.time.now) }
        for (waiter, answer) in told { waiter.resume(answer) }
    }

    /// Mail was delivered over its connection.
    func delivered(_ grant: ConnectionGrant) {
        let told = self.state.withLock { state in
            let now = self.time.now
            state.admission.delivered(grant, at: now)
            return state.admit(after: grant, isProven: true, at: now)
        }
        for (waiter, answer) in told { waiter.resume(answer) }
    }

    /// What is to become of its connection, which waits for its host.
    func patience(with grant: ConnectionGrant, in phase: ConnectionPhase) -> ConnectionAdmission.Patience {
        self.state.withLock { $0.patience(with: grant, in: phase, at: self.time.now) }
    }

    /// Another connection follows in its slot.
    func retries(_ grant: ConnectionGrant) { self.state.withLock { $0.admission.retries(grant, at: self.time.now) } }

    /// Gives a slot back, to the one whose turn it is.
    func close(_ grant: ConnectionGrant, wasEstablished: Bool) {
        let (told, shortage) = self.state.withLock { state in
            let now = self.time.now
            state.admission.close(grant, wasEstablished: wasEstablished, at: now)
            return (state.admit(after: grant, at: now), state.shortage)
        }
        self.shortages?.observed(shortage, at: self.time.now)
        for (waiter, answer) in told { waiter.resume(answer) }
    }

    /// Has a slot given back by the next look: nobody is resumed here, and no lock is taken that others hold for long, so it may be
    /// said anywhere.
    func closeLater(_ grant: ConnectionGrant, wasEstablished: Bool) {
        self.abandoned.withLock { $0.append((grant, wasEstablished)) }
    }
}
