import DeliveryQueue
import Logging
import MailModel
import QueueStore
import Telemetry

/// Finds the destinations that have work: those of which a hint came, those that became due, and, now and then, all.
///
/// Once a second it asks for what became due lately, which costs the same however much waits. What that cannot show (a
/// look that failed, a place that was not free, a shard that has just become ours) a walk through all destinations
/// finds, which takes no more than a twentieth of the time of one connection.
struct WorkFinder: Sendable {
    let environment: DeliveryEnvironment
    let health: HealthRegistry
    let shards: ShardTable

    /// Mail waits while the resolver does not validate: its answers would hold it back, and blame the wrong side. And while
    /// the database is not well.
    private var mayDeliver: Bool { self.environment.mayDeliver && self.health.isPassing(.resolver) }

    /// Looks until cancelled.
    func run() async {
        var plan = LookPlan()
        while !Task.isCancelled {
            let terms = self.environment.leases.terms()
            do throws(QueueStoreError) {
                if self.mayDeliver, !terms.isEmpty { try await self.look(terms, &plan) } else { plan.forget() }
            } catch {
                plan.forget()
                self.environment.logger.warning("poll failed", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: plan.pause)
        }
    }

    /// Passes hints on until cancelled.
    func follow(_ hints: AsyncStream<DueEntry>) async {
        for await entry in hints where self.mayDeliver { await self.shards.arrived(entry) }
    }

    private func look(_ terms: [ShardTerm], _ plan: inout LookPlan) async throws(QueueStoreError) {
        plan.begin(terms, at: .now)
        let lately = try await self.environment.store.latelyDue(terms, since: plan.seen)
        plan.seen = lately.moment
        // One for which there is no place yet is found by the walk.
        for entry in lately.due { _ = await self.shards.due(entry) }
        guard plan.isPageDue(at: .now) else { return }
        let started = MonotonicInstant.now
        let page = try await self.environment.store.dueDestinations(terms, after: plan.cursor)
        let took = MonotonicInstant.now - started
        var areTaken = true
        for entry in page.due where areTaken { areTaken = await self.shards.due(entry) }
        // Those behind wait where they are, and the walk with them.
        plan.pageEnded(areTaken ? .read(page.cursor) : .noPlace, after: took, at: .now)
    }
}

/// When to look at what.
struct LookPlan {
    /// How a page of the walk ended.
    enum PageEnd {
        /// Its destinations are at work, and here it goes on.
        case read(DueCursor?)
        /// There was no place for more destinations.
        case noPlace
    }

    /// How often it is asked what became due.
    static let interval = Duration.seconds(1)
    /// How often all are visited, if that takes no more than its share.
    static let walkInterval = Duration.seconds(5)
    /// The time between two pages, by the time that one took.
    static let idleShare = 19

    /// The moment, by the database's clock, of the last look at what became due.
    var seen: Timestamp?
    /// Where the walk goes on.
    private(set) var cursor: DueCursor?
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
            self.isWalking = true
            self.nextPage = now
            self.walkBegan = now
            return
        }
        if !self.isWalking, now >= self.nextPage {
            self.isWalking = true
            self.walkBegan = now
        }
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
