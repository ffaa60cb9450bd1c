import DeliveryQueue
import MailModel
import NIOCore
import QueueStore

/// One shard in one term of our ownership: its destinations that have work, each found once.
actor QueueShard {
    private let environment: DeliveryEnvironment
    private let term: ShardTerm
    private let supervisor: TaskSupervisor
    private let eventLoops: [any EventLoop]
    private var destinations: [DomainName: Destination] = [:]
    /// Domains that are left alone, and until when, so that new mail for them costs no look into the database.
    private var blocked: [DomainName: Timestamp] = [:]
    private var isStopping = false

    /// The most domains that are remembered as blocked. The database knows them all.
    private static let blockedLimit = 4096

    init(
        environment: DeliveryEnvironment, term: ShardTerm, supervisor: TaskSupervisor,
        eventLoops: [any EventLoop]
    ) {
        self.environment = environment
        self.term = term
        self.supervisor = supervisor
        self.eventLoops = eventLoops
    }

    /// New mail for `domain` has come. One that is known to be left alone is: the poll tells when that is over.
    func arrived(_ domain: DomainName) async {
        if let until = self.blocked[domain], self.environment.clock.now < until { return }
        _ = await self.due(domain)
    }

    /// Entries for `domain` may be due: its destination looks, and is started if there is none. `false` when there is no
    /// place for one more.
    func due(_ domain: DomainName) async -> Bool {
        self.blocked[domain] = nil
        // One that has ended is replaced; meanwhile the shard may have been stopped, or somebody else, to whom it said
        // the same, may have put another in its place.
        while !self.isStopping, let destination = self.destinations[domain] {
            if await destination.wake() { return true }
            self.ended(destination, domain, blockedUntil: nil)
        }
        guard !self.isStopping else { return true }
        let destination = Destination(
            environment: self.environment, term: self.term, domain: domain, eventLoop: self.eventLoop(of: domain))
        self.destinations[domain] = destination
        let isStarted = self.supervisor.submit {
            await destination.run()
            await self.ended(destination, domain, blockedUntil: destination.blockedUntil)
        }
        // It is found again when there is room.
        if !isStarted { self.destinations[domain] = nil }
        return isStarted
    }

    /// Begins no further message. Those under way are finished by their destinations, whose parent waits for them.
    func stop() async {
        self.isStopping = true
        for destination in self.destinations.values { await destination.stop() }
    }

    /// Always the same for one domain, so that a connection left open by an earlier destination serves the next.
    private func eventLoop(of domain: DomainName) -> any EventLoop {
        var hasher = Hasher()
        hasher.combine(domain)
        hasher.combine(self.term.shard)
        return self.eventLoops[Int(UInt(bitPattern: hasher.finalize()) % UInt(self.eventLoops.count))]
    }

    private func ended(_ destination: Destination, _ domain: DomainName, blockedUntil: Timestamp?) {
        guard self.destinations[domain] === destination else { return }
        self.destinations[domain] = nil
        guard let blockedUntil else { return }
        if self.blocked.count >= Self.blockedLimit { self.blocked.removeAll() }
        self.blocked[domain] = blockedUntil
    }
}
