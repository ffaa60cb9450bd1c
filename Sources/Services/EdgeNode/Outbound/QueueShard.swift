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
    private var isStopping = false

    init(
        environment: DeliveryEnvironment, term: ShardTerm, supervisor: TaskSupervisor,
        eventLoops: [any EventLoop]
    ) {
        self.environment = environment
        self.term = term
        self.supervisor = supervisor
        self.eventLoops = eventLoops
    }

    /// Entries for `domain` may be due: its destination looks, and is started if there is none.
    func due(_ domain: DomainName) async {
        // One that has ended is replaced; meanwhile the shard may have been stopped, or somebody else, to whom it said
        // the same, may have put another in its place.
        while !self.isStopping, let destination = self.destinations[domain] {
            if await destination.wake() { return }
            self.ended(destination, domain)
        }
        guard !self.isStopping else { return }
        let destination = Destination(
            environment: self.environment, term: self.term, domain: domain, eventLoop: self.eventLoop(of: domain))
        self.destinations[domain] = destination
        let isStarted = self.supervisor.submit {
            await destination.run()
            await self.ended(destination, domain)
        }
        // The poll finds it again when there is room.
        if !isStarted { self.destinations[domain] = nil }
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

    private func ended(_ destination: Destination, _ domain: DomainName) {
        if self.destinations[domain] === destination { self.destinations[domain] = nil }
    }
}
