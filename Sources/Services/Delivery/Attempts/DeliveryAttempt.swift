import Admission
import ClusterModel
import DeliveryQueue
import Logging
import MailModel
import NIOCore
import NodeState
import OperatingSystem
import QueueStore
import RouteLookup
import Routing
import SMTPProtocol
import ServiceSupport
import ShardLeases
import Telemetry
import TransportSecurity

/// One attempt to deliver one queue entry: its hosts in order, until one has had the last word on every recipient.
///
/// It runs on its destination's event loop, and keeps no more of the message in memory than one chunk.
struct DeliveryAttempt {
    /// What all attempts of a node share.
    struct Means: Sendable {
        let hosts: HostAccess
        let transfer: MessageTransfer.Means
        let leases: LeaseTable
        /// What deliveries are busy with.
        let activity: ActivityTable
        let metrics: DeliveryMetrics
        let logger: Logger
        /// This node's own clock, and its timers.
        let time: any NodeClock
    }

    /// How long a destination rests whose look-ups our own resolver could not make.
    private static let resolverPause = Duration.seconds(10)
    /// A host that was planned so long ago, before the wait for a connection to it, is looked up again.
    private static let planAge = Duration.seconds(1)
    /// How long a destination rests whose route has changed while it waited.
    private static let routePause = Duration.seconds(1)
    /// How long a destination rests for which we could open no connection ourselves.
    private static let networkPause = Duration.seconds(5)

    let means: Means
    let entry: QueueEntry
    let term: ShardTerm
    let eventLoop: any EventLoop
    let customer: SiteCustomer
    /// What the node served by when the attempt began; it holds for all of it.
    private let state: NodeState
    private let nextHop: NextHop
    /// What the operator demands of the hosts.
    private let policy: TransportPolicy
    private var progress: AttemptProgress
    /// A host is left that would have been tried, but for us.
    private var isCutOff = false
    /// Hosts whose TLSA records were asked for anew.
    private var renewed: Set<DomainName?> = []
    private var site = ReceivingSite.hosts([])
    /// When the host that is being tried was looked up.
    private var planned: MonotonicInstant
    /// The site's rate allows this message; it is asked once.
    private var isWithinRate = false
    /// Puts the attempt on record once, over however many connections it is made.
    private var transfer: MessageTransfer

    init(
        _ means: Means, entry: QueueEntry, term: ShardTerm, eventLoop: any EventLoop, customer: SiteCustomer
    ) {
        self.means = means
        self.entry = entry
        self.term = term
        self.eventLoop = eventLoop
        self.customer = customer
        self.state = means.hosts.state.current
        self.nextHop = self.state.policy.nextHop(for: entry.key.domain, port: means.hosts.port)
        self.planned = means.time.now
        self.policy = self.state.transport(to: entry.key.domain, at: means.time.date)
        self.progress = AttemptProgress(recipients: entry.recipients.count)
        self.transfer = MessageTransfer(means.transfer, entry: entry, term: term, eventLoop: eventLoop)
    }

    /// Makes the attempt. `link` is a connection from an earlier message, and afterwards one for a later message.
    mutating func run(over link: inout PooledConnection?) async -> AttemptEnd {
        let started = self.means.time.now
        switch await self.hosts.routes.route(to: self.nextHop) {
        case .failure(let reason):
            self.progress.tried(HostAttempt(reason, duration: self.means.time.now - started))
        case .success(var route):
            self.site = self.state.site(hosts: route.hostNames, configured: self.nextHop.address)
            while !self.isOver, let next = await route.next() {
                switch next {
                case .failure(let reason):
                    self.progress.tried(HostAttempt(reason, duration: self.means.time.now - started))
                case .success(let host):
                    if let end = await self.tryHost(host, over: &link) { return end }
                }
            }
        }
        return self.end()
    }

    private var hosts: HostAccess { self.means.hosts }

    private var tries: [HostAttempt] { self.progress.tries }

    /// We may go on.
    private var isHeld: Bool { self.means.leases.isHeld(self.term) && !Task.isCancelled }

    private var isOver: Bool { self.progress.isOver || !self.isHeld }

    /// - Parameter isCutOff: hosts are left that would have been tried, but for us.
    private func end(isCutOff: Bool = false) -> AttemptEnd {
        let wasAnybodyAsked = self.tries.contains { $0.address != nil && !$0.isOurNetworks }
        if !wasAnybodyAsked, self.tries.contains(where: \.isOurNetworks) {
            return .postponed(Self.networkPause, because: .network)
        }
        if !wasAnybodyAsked, self.tries.contains(where: \.isOurResolvers) {
            return .postponed(Self.resolverPause, because: .resolver)
        }
        // It is a fact about the hosts, and no failure of the message's: its turn comes over the connections that they take.
        if self.tries.contains(where: { $0.isCrowded || $0.isDisplaced }), self.tries.allSatisfy(\.isOfNoMessage) {
            return .siteIsFull
        }
        if self.tries.isEmpty, !self.isHeld { return .void }
        let tries = self.tries.isEmpty ? [HostAttempt(failure: HostFailure(.noUsableRoute))] : self.tries
        let report = AttemptReport(
            tries: tries, recipients: self.entry.recipients.count, isCutOff: isCutOff || self.isCutOff || !self.isHeld)
        return report.isVoid ? .void : .made(report)
    }

    // MARK: - One host

    private mutating func tryHost(_ host: PlannedHost, over link: inout PooledConnection?) async -> AttemptEnd? {
        self.means.metrics.count(host)
        self.planned = self.means.time.now
        switch AttemptRequirement.of(host, by: self.policy) {
        case .failure(let skipped):
            let failure = HostFailure(
                skipped.reason, SafeText.escape(host.failure?.explanation ?? skipped.detail))
            self.progress.skipped(
                HostAttempt(
                    host: host, policy: self.policy, failure: failure,
                    isOurResolvers: host.failure?.isOurResolvers ?? false))
            return nil
        case .success(let requirement):
            if let end = await self.tryWarm(host, requirement, over: &link) { return end }
            var addresses = host.addressesToTry(
                ipv4First: self.hosts.egress.ipv4First, limit: AttemptAllowance.addressesPerHost)
            while !self.isOver {
                // The same address under the name of another host would say the same.
                addresses.removeAll { self.progress.unasked(at: $0).isEmpty }
                // Over another connection to the same address the rest of the recipients may follow.
                guard !addresses.isEmpty, self.progress.isCutShort || self.progress.takeAddress() else { break }
                let count = self.tries.count
                if let end = await self.tryAddress(of: addresses, host, requirement, over: &link) { return end }
                guard self.tries.count > count, let last = self.tries.last else { break }
                if let host = await self.renewal(of: host, after: last) {
                    return await self.tryHost(host, over: &link)
                }
                if !last.isCutShort { addresses.removeAll { $0 == last.address } }
            }
            return nil
        }
    }

    /// The host by other TLSA records, where those that it did not match came from a cache and are others by now. Each host
    /// is asked for so once.
    private mutating func renewal(of host: PlannedHost, after last: HostAttempt) async -> PlannedHost? {
        guard host.tlsa != nil, let failure = last.failure?.failure,
            failure == .tlsaInvalid || failure == .certificateExpired,
            let address = last.address, self.renewed.insert(host.name).inserted
        else { return nil }
        switch await self.hosts.routes.renewed(host, at: address, for: self.nextHop) {
        case .changed(let later): return later
        case .same: self.progress.explain("the TLSA records are the same when asked for anew")
        case .kept(nil): self.progress.explain("the TLSA records could not be asked for anew")
        case .kept(let end?):
            self.progress.explain("the TLSA records came from the cache, which keeps them until \(end)")
        }
        return nil
    }

    /// Over a connection that is open already, if there is one that may serve.
    private mutating func tryWarm(
        _ host: PlannedHost, _ requirement: AttemptRequirement, over link: inout PooledConnection?
    ) async -> AttemptEnd? {
        let started = self.means.time.now
        let demand = self.demand(host, requirement)
        if link?.serves(demand) != true {
            self.giveBack(&link)
            link = self.hosts.links.take(demand, on: self.eventLoop)
            link?.slot.move(to: self.customer)
        }
        guard let warm = link, !self.progress.unasked(at: warm.address).isEmpty else { return nil }
        if let wait = await self.waitForRate(of: warm.slot) {
            self.giveBack(&link)
            return .postponed(wait, because: .rate)
        }
        self.means.activity.moved(self.entry.key, to: .host, host: host.shown(at: warm.address))
        defer { self.means.activity.moved(self.entry.key, to: .lookUp) }
        var attempt = HostAttempt(host: host, policy: self.policy, address: warm.address, isWarm: true)
        await self.transact(over: &link, &attempt)
        attempt.duration = self.means.time.now - started
        // That a connection went stale while it was idle, or that the host has had enough messages over it, says
        // nothing about the next one. So dial anew.
        let isStale =
            attempt.failure?.isAmbiguous == false && attempt.outcomes.isEmpty && !attempt.isUnrecorded
            && self.means.leases.permitsFinalDot(self.term)
        if !isStale { self.progress.tried(attempt) }
        return nil
    }

    /// The first of these addresses that may have one more connection.
    private mutating func tryAddress(
        of addresses: [IPAddress], _ host: PlannedHost, _ requirement: AttemptRequirement,
        over link: inout PooledConnection?
    ) async -> AttemptEnd? {
        self.giveBack(&link)
        let targets = addresses.map { self.hosts.target($0, host.port) }
        // Whoever gets a slot waits no more than a moment, and nobody reads of it.
        self.means.activity.moved(self.entry.key, to: self.tries.isEmpty ? .connection : .host, host: host.shown)
        let opened = await self.hosts.sites.open(
            self.site, at: targets, for: self.customer, isPatient: !self.tries.isEmpty,
            share: self.entry.sender.isEmpty ? .nullSender : .all, whenFull: self.hosts.links.close(idleAt:))
        switch opened {
        case .slot(let slot):
            // A connection that was opened there has it on.
            defer { slot.release() }
            guard await self.isCurrent(host, at: slot.address) else { return self.endForNewRoute }
            return await self.tryAddress(of: host, requirement, over: &link, in: slot)
        case .full where self.tries.isEmpty: return .siteIsFull
        case .resting(let time) where self.tries.isEmpty: return .postponed(time, because: .site)
        case .withdrawn where self.tries.isEmpty: return .void
        case .expired where self.tries.isEmpty: return .released
        case .failed(let address, let failure):
            self.progress.tried(HostAttempt(host: host, policy: self.policy, address: address, failure: failure))
            return nil
        case .full, .withdrawn, .expired: return self.end(isCutOff: true)
        // Another host may do better meanwhile, and this one later.
        case .resting:
            self.isCutOff = true
            return nil
        case .link:
            guard await self.isCurrent(host, at: nil) else { return self.endForNewRoute }
            let count = self.tries.count
            if let end = await self.tryWarm(host, requirement, over: &link) { return end }
            guard self.tries.count == count else { return nil }
            // It did not serve, or was stale: wait again.
            return await self.tryAddress(of: addresses, host, requirement, over: &link)
        }
    }

    /// Whether the plan of a host still holds. It may have been long until there was a slot, and TTLs may be over.
    private mutating func isCurrent(_ host: PlannedHost, at address: IPAddress?) async -> Bool {
        let now = self.means.time.now
        guard now - self.planned > Self.planAge, let address = address ?? host.addresses.first else {
            return true
        }
        guard await self.hosts.routes.confirms(host, at: address, for: self.nextHop) else { return false }
        self.planned = now
        return true
    }

    /// The entry is planned anew, at once where nobody has been asked.
    private var endForNewRoute: AttemptEnd {
        self.tries.isEmpty ? .postponed(Self.routePause, because: .route) : self.end(isCutOff: true)
    }

    /// Over a new connection, for which there is a slot.
    private mutating func tryAddress(
        of host: PlannedHost, _ requirement: AttemptRequirement, over link: inout PooledConnection?,
        in slot: ConnectionSlot
    ) async -> AttemptEnd? {
        if let wait = await self.waitForRate(of: slot) { return .postponed(wait, because: .rate) }
        // It may have been long until there was a slot.
        guard self.means.leases.isHeld(self.term) else { return self.tries.isEmpty ? .void : self.end() }
        let started = self.means.time.now
        self.means.activity.moved(self.entry.key, to: .host, host: host.shown(at: slot.address))
        defer { self.means.activity.moved(self.entry.key, to: .lookUp) }
        var attempt = HostAttempt(host: host, policy: self.policy, address: slot.address)
        let dialled = await self.hosts.dialer.dial(
            self.demand(host, requirement), in: slot, on: self.eventLoop)
        switch dialled {
        case .failure(let failure):
            attempt.failure = failure
            let isSilence = failure.failure == .connectionTimeout
            if failure.isOfConnecting, !failure.isDisplaced, let size = slot.refused(inSilence: isSilence) {
                attempt.isCrowded = true
                self.logCrowded(attempt, size: size)
            } else if failure.isOfWaiting {
                slot.failed(failure)
            }
        case .success(let linked):
            link = linked
            await self.transact(over: &link, &attempt)
        }
        attempt.duration = self.means.time.now - started
        self.progress.tried(attempt)
        return nil
    }

    private func demand(_ host: PlannedHost, _ requirement: AttemptRequirement) -> LinkDemand {
        LinkDemand(host, requirement, nextHopDomain: self.entry.key.domain, at: self.site, by: self.state)
    }

    private func logCrowded(_ attempt: HostAttempt, size: Int) {
        self.means.metrics.smtpNarrowings.increment()
        self.means.logger.info(
            "an address takes fewer connections",
            metadata: [
                LogKey.mxHost: "\(attempt.hostText ?? "")",
                LogKey.mxAddress: "\(attempt.address.map { "\($0)" } ?? "")",
                LogKey.connections: .stringConvertible(size), LogKey.reason: "\(attempt.failure?.detail ?? "")",
            ])
    }

    /// A connection that does not serve here may serve somebody else.
    private func giveBack(_ link: inout PooledConnection?) {
        if let unused = link.take() { self.hosts.links.put(unused, on: self.eventLoop) }
    }

    /// Waits a moment for the site's rate to allow the message; gives the time until it does, if that is longer.
    private mutating func waitForRate(of slot: ConnectionSlot) async -> Duration? {
        guard !self.isWithinRate else { return nil }
        let deadline = self.means.time.now + ConnectionPool.connectionIdleTime
        while let wait = self.hosts.sites.send(by: slot) {
            guard self.means.time.now + wait < deadline,
                (try? await self.means.time.sleep(for: wait)) != nil
            else { return wait }
        }
        self.isWithinRate = true
        return nil
    }

    /// Sends the message over `link`.
    private mutating func transact(over link: inout PooledConnection?, _ attempt: inout HostAttempt) async {
        guard var current = link else {
            attempt.failure = HostFailure(.connectionLost)
            return
        }
        attempt.established = current.established
        await self.transfer.send(
            over: &current, to: self.progress.unasked(at: current.address), noting: &attempt)
        if attempt.outcomes.values.contains(where: \.isDelivered) { current.slot.delivered() }
        if attempt.failure?.isChunkingRefusal == true {
            self.hosts.chunkingRefusals.note(current.address, at: self.means.time.now)
            // Once more to the same address, by DATA. Other connections may have learnt of it at the same time.
            attempt.isCutShort = !self.progress.hasRefusedChunking(current.address)
        }
        link = current
        if !current.connection.isReady || current.isUsedUp(after: self.means.transfer.messagesPerConnection)
            || self.hosts.sites.isOwed(by: current.slot.address)
        {
            current.connection.quit()
            link = nil
        }
    }
}
