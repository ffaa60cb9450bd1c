import ClusterModel
import DeliveryQueue
import MailModel
import NIOCore
import QueueStore
import ServiceSupport
import ShardLeases

/// One shard in one term of our ownership: its destinations that have work, each found once.
actor QueueShard {
    private let means: Destination.Means
    private let clock: DatabaseClock
    private let time: any NodeClock
    private let term: ShardTerm
    private let supervisor: TaskSupervisor
    private let eventLoops: [any EventLoop]
    private var destinations: [DomainName: Destination] = [:]
    private var blocked: BlockedDomains
    private var isStopping = false

    /// - Parameter means: for its destinations.
    init(
        _ means: Destination.Means, term: ShardTerm, supervisor: TaskSupervisor, eventLoops: [any EventLoop],
        blocked: BlockedDomains = BlockedDomains(), clock: DatabaseClock, time: any NodeClock
    ) {
        self.blocked = blocked
        self.means = means
        self.clock = clock
        self.time = time
        self.term = term
        self.supervisor = supervisor
        self.eventLoops = eventLoops
    }

    /// New mail for these domains has come.
    func arrived(_ domains: [DomainName]) async { for domain in domains { await self.arrived(domain) } }

    /// New mail for `domain` has come. One in backoff is not woken, but for a test delivery now and then.
    func arrived(_ domain: DomainName) async {
        switch self.blocked.arrived(domain, at: self.clock.now) {
        case .wait: ()
        case .look: _ = await self.due(domain)
        case .test: _ = await self.due(domain, testsEarly: true)
        }
    }

    /// The walk has come to `domain`, of which entries are due. `false` when there is no slot for it.
    func walked(_ domain: DomainName) async -> Bool {
        guard self.blocked.isWalked(domain, at: self.time.now) else { return true }
        // One that is still at work would read all of it in vain, too: the next walks leave it.
        let isShareTaken = await self.destinations[domain]?.isShareTaken ?? false
        self.blocked.looked(domain, isShareTaken: isShareTaken, at: self.time.now)
        return await self.due(domain)
    }

    /// Entries for `domain` may be due: its destination looks, and is started if there is none. `false` when there is no
    /// slot for one more.
    func due(_ domain: DomainName, testsEarly: Bool = false) async -> Bool {
        self.blocked.due(domain)
        // One that has ended is replaced. Meanwhile the shard may have been stopped, or another caller, to whom it said
        // the same, may have replaced it.
        while !self.isStopping, let destination = self.destinations[domain] {
            if await destination.wake() { return true }
            self.blocked.ended(domain, closings: await destination.closings, at: self.clock.now)
            self.ended(destination, domain, .forgotten)
        }
        guard !self.isStopping else { return true }
        let destination = Destination(
            self.means, term: self.term, domain: domain, eventLoop: self.eventLoop(of: domain), testsEarly: testsEarly,
            closings: self.blocked.closings(of: domain, at: self.clock.now))
        self.destinations[domain] = destination
        let isStarted = self.supervisor.submit {
            await destination.run()
            await self.ended(
                destination, domain,
                .known(
                    until: destination.blockedUntil, wasTried: destination.hasTried, closings: destination.closings,
                    isShareTaken: destination.isShareTaken))
        }
        // It is found again when there is capacity.
        if !isStarted { self.destinations[domain] = nil }
        return isStarted
    }

    /// Other rules of operators are in force: the destinations at work obey them.
    func heedRules() async {
        for destination in self.inOrder { await destination.heedRules() }
    }

    /// Begins no further message. Those under way are finished by their destinations, whose parent waits for them.
    func stop() async {
        self.isStopping = true
        for destination in self.inOrder { await destination.stop() }
    }

    /// By name, so that a run with the same clock and the same chance does the same.
    private var inOrder: [Destination] {
        self.destinations.sorted { $0.key.text < $1.key.text }.map(\.value)
    }

    /// Always the same for one domain, so that a connection left open by an earlier destination serves the next.
    private func eventLoop(of domain: DomainName) -> any EventLoop {
        var hasher = Hasher()
        hasher.combine(domain)
        hasher.combine(self.term.shard)
        return self.eventLoops[Int(UInt(bitPattern: hasher.finalize()) % UInt(self.eventLoops.count))]
    }

    private enum End {
        /// It ended some time ago.
        case forgotten
        case known(until: Timestamp?, wasTried: Bool, closings: SessionClosings, isShareTaken: Bool)
    }

    private func ended(_ destination: Destination, _ domain: DomainName, _ end: End) {
        guard self.destinations[domain] === destination else { return }
        self.destinations[domain] = nil
        guard case .known(let until, let wasTried, let closings, let isShareTaken) = end else { return }
        let now = self.clock.now
        self.blocked.ended(domain, until: until, wasTried: wasTried, at: now)
        self.blocked.ended(domain, closings: closings, at: now)
        self.blocked.looked(domain, isShareTaken: isShareTaken, at: self.time.now)
    }
}
