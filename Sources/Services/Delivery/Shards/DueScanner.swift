import ClusterModel
import Logging
import MailModel
import OrderedCollections
import QueueStore
import ServiceSupport
import ShardLeases
import Telemetry

/// Finds the destinations that have work: those of which a hint came, those that became due, and, now and then, all.
///
/// Once a second it asks for what became due lately, which costs the same however much waits. A look that failed, a
/// slot that was not free, or a new shard may leave work that this cannot show. A walk through all destinations finds
/// it, which takes no more than a twentieth of the time of one connection.
struct DueScanner: Sendable {
    let store: any DeliveryStore
    let hosts: HostAccess
    let gate: DeliveryGate
    let activity: ActivityTable
    let health: HealthRegistry
    let shards: ShardTable
    let logger: Logger
    let clock: DatabaseClock
    let time: any NodeClock

    /// Whether deliveries to an entry's destination may begin. What needs DNS waits while the resolver does not validate: its
    /// answers would hold the mail back, and blame the wrong side. All waits while the database is not well.
    private func mayBegin(_ entry: DueEntry) -> Bool {
        guard self.gate.isOpen else { return false }
        return self.health.isPassing(.resolver) || !self.hosts.needsDNS(entry.destination)
    }

    /// The same, with what is passed over noted, so that operators see what it waits for.
    private func mayBegin(_ entry: DueEntry, in terms: [Shard: ShardTerm]) -> Bool {
        guard self.gate.isOpen else { return false }
        guard !self.isSuspended(entry) else {
            // The rules themselves tell that.
            if let term = terms[entry.shard] { self.activity.works(entry.destination, in: term) }
            return false
        }
        let mayBegin = self.mayBegin(entry)
        if !mayBegin, let term = terms[entry.shard] {
            self.activity.rests(entry.destination, in: term, because: .resolver, at: self.clock.now)
        }
        return mayBegin
    }

    /// Whether an operator has suspended deliveries to an entry's destination.
    private func isSuspended(_ entry: DueEntry) -> Bool {
        self.gate.standing.suspension(of: entry.destination, at: self.clock.now) != nil
    }

    /// Looks until cancelled.
    func run() async {
        var plan = LookPlan()
        var wait = ResolverWait()
        var rules = self.gate.standing.changes
        while !Task.isCancelled {
            self.look(at: &rules, &plan)
            let terms = self.gate.leases.terms
            do throws(QueueStoreError) {
                self.look(at: &wait, &plan)
                if self.gate.isOpen, !terms.isEmpty {
                    try await self.look(terms, &plan)
                } else {
                    plan.forget()
                }
            } catch {
                plan.forget()
                self.logger.warning("poll failed", metadata: ["error": "\(error)"])
            }
            try? await self.time.sleep(for: plan.pause)
        }
    }

    /// Passes hints on until cancelled, to each shard at once what has come for it meanwhile.
    func follow(_ hints: DueHints) async {
        for await _ in hints.signals {
            for (shard, entries) in hints.take() {
                let domains = entries.filter { self.mayBegin($0) && !self.isSuspended($0) }.map(\.destination)
                if !domains.isEmpty { await self.shards.arrived(domains, in: shard) }
            }
        }
    }

    /// Looks whether operators have made or lifted rules: what was passed over for one is found by a walk.
    private func look(at rules: inout Int, _ plan: inout LookPlan) {
        let changes = self.gate.standing.changes
        guard changes != rules else { return }
        rules = changes
        plan.forget()
    }

    /// Looks whether the resolver works, and says what waits for it.
    private func look(at wait: inout ResolverWait, _ plan: inout LookPlan) {
        switch wait.noted(isPassing: self.health.isPassing(.resolver), at: self.time.now) {
        case .none: ()
        case .announced:
            let status = self.health.checks.first { $0.check == .resolver }?.status
            let reason = if case .failing(let reason)? = status { reason } else { "" }
            self.logger.warning(
                "deliveries that need DNS wait for the resolver; those to next hops given by address go on",
                metadata: [LogKey.reason: "\(reason)"])
        case .over(let wasAnnounced):
            // What was passed over is found by a walk.
            plan.forget()
            self.activity.resolverWorks()
            guard wasAnnounced else { return }
            self.logger.notice("deliveries that need DNS go on")
        }
    }

    private func look(_ terms: [ShardTerm], _ plan: inout LookPlan) async throws(QueueStoreError) {
        plan.begin(terms, at: self.time.now)
        let byShard = Dictionary(terms.map { ($0.shard, $0) }) { $1 }
        let lately = try await self.store.latelyDue(
            terms, since: plan.seen, limit: QueueLimits.lateEntries)
        plan.seen = lately.moment
        // One for which there is no slot yet is found by the walk.
        for entry in lately.due where self.mayBegin(entry, in: byShard) { _ = await self.shards.due(entry) }
        guard plan.isPageDue(at: self.time.now) else { return }
        let started = self.time.now
        let page = try await self.store.dueDestinations(
            terms, after: plan.cursor, limit: QueueLimits.walkedDestinations)
        let took = self.time.now - started
        var areTaken = true
        // Now and then suspended ones are visited, too: their overdue entries get an outcome.
        let isSettling = plan.isSettling
        for entry in page.due
        where areTaken && (self.mayBegin(entry, in: byShard) || isSettling && self.isSuspended(entry)) {
            areTaken = await self.shards.walked(entry)
        }
        self.hosts.sites.shortages?.observed(destinationsLeft: areTaken ? 0 : 1, at: self.time.now)
        // Those behind wait where they are, and the walk with them.
        plan.pageEnded(areTaken ? .read(page.cursor) : .noSlot, after: took, at: self.time.now)
    }
}

/// How long deliveries have waited for the resolver, and whether that has been said.
struct ResolverWait {
    /// What is to be done.
    enum Change: Hashable {
        case none
        /// It is to be said that they wait.
        case announced
        /// They may go on.
        case over(wasAnnounced: Bool)
    }

    /// Before that nothing is said: at its start a node has to wait for the first self-test.
    static let patience = Duration.seconds(2)

    private var since: MonotonicInstant?
    private var isAnnounced = false

    /// The resolver's state at this moment.
    mutating func noted(isPassing: Bool, at now: MonotonicInstant) -> Change {
        guard !isPassing else {
            guard self.since != nil else { return .none }
            defer { self = ResolverWait() }
            return .over(wasAnnounced: self.isAnnounced)
        }
        let since = self.since ?? now
        self.since = since
        guard !self.isAnnounced, now - since >= Self.patience else { return .none }
        self.isAnnounced = true
        return .announced
    }
}

/// When to look at what.
struct LookPlan {
    /// How a page of the walk ended.
    enum PageEnd {
        /// Its destinations are at work, and here it goes on.
        case read(DueCursor?)
        /// There was no slot for more destinations.
        case noSlot
    }

    /// How often it is asked what became due.
    static let interval = Duration.seconds(1)
    /// How often all are visited, if that takes no more than its share.
    static let walkInterval = Duration.seconds(5)
    /// How often a walk visits suspended destinations, too.
    static let settlingInterval = Duration.seconds(60)
    /// The time between two pages, by the time that one took.
    static let idleShare = 19

    /// The moment, by the database's clock, of the last look at what became due.
    var seen: Timestamp?
    /// Where the walk goes on.
    private(set) var cursor: DueCursor?
    /// The walk visits suspended destinations, too.
    private(set) var isSettling = false
    private var settled: MonotonicInstant?
    /// There are shards that are new to us: the walk goes on without a pause.
    private var isCatchingUp = false
    private var known: Set<ShardTerm> = []
    private var nextPage = MonotonicInstant(nanoseconds: 0)
    private var walkBegan = MonotonicInstant(nanoseconds: 0)
    private var isWalking = false
    private var mustWait = false

    /// How long to rest before the next look.
    var pause: Duration { self.isCatchingUp && !self.mustWait ? .zero : Self.interval }

    /// Nothing is certain any more: all is visited next.
    mutating func forget() { self = LookPlan() }

    /// A look at these shards begins.
    mutating func begin(_ terms: [ShardTerm], at now: MonotonicInstant) {
        let terms = Set(terms)
        defer { self.known = terms }
        guard terms.isSubset(of: self.known) else {
            self.cursor = nil
            self.isCatchingUp = true
            self.nextPage = now
            self.beginWalk(at: now)
            return
        }
        if !self.isWalking, now >= self.nextPage { self.beginWalk(at: now) }
    }

    private mutating func beginWalk(at now: MonotonicInstant) {
        self.isWalking = true
        self.walkBegan = now
        self.isSettling = self.settled.map { now >= $0 + Self.settlingInterval } ?? true
        if self.isSettling { self.settled = now }
    }

    /// Whether it is time for a page of the walk.
    func isPageDue(at now: MonotonicInstant) -> Bool { self.isWalking && now >= self.nextPage }

    /// A page was read.
    mutating func pageEnded(_ end: PageEnd, after took: Duration, at now: MonotonicInstant) {
        self.mustWait = false
        self.nextPage = self.isCatchingUp ? now : now + took * Self.idleShare
        guard case .read(let cursor) = end else {
            self.mustWait = true
            return
        }
        self.cursor = cursor
        guard cursor == nil else { return }
        self.isWalking = false
        self.isCatchingUp = false
        self.nextPage = max(self.walkBegan + Self.walkInterval, now + took * Self.idleShare)
    }
}
