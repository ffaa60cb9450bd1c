import DeliveryQueue
import MailModel

@testable import QueueStore

/// `QueueShard`: one shard in one term, with its destinations that have work.
final class SimulatedShard {
    let term: ShardTerm
    private unowned let node: SimulatedNode
    private var destinations: [DomainName: SimulatedDestination] = [:]
    private var blocked: [DomainName: Timestamp] = [:]
    private var isStopping = false

    init(node: SimulatedNode, term: ShardTerm) {
        self.node = node
        self.term = term
    }

    /// New mail has come: no reason to look at a domain that is known to be left alone.
    func arrived(_ domain: DomainName) {
        if let until = self.blocked[domain], self.node.databaseNow < until { return }
        self.due(domain)
    }

    func due(_ domain: DomainName) {
        self.blocked[domain] = nil
        guard !self.isStopping else { return }
        if self.node.surroundings.broken != .entryTwice, let destination = self.destinations[domain],
            destination.wake()
        {
            return
        }
        let destination = SimulatedDestination(node: self.node, shard: self, domain: domain)
        self.destinations[domain] = destination
        destination.start()
    }

    func ended(_ destination: SimulatedDestination, blockedUntil: Timestamp?) {
        guard self.destinations[destination.domain] === destination else { return }
        self.destinations[destination.domain] = nil
        self.blocked[destination.domain] = blockedUntil
    }

    func stop() {
        self.isStopping = true
        for (_, destination) in self.destinations.sorted(by: { $0.key.text < $1.key.text }) { destination.stop() }
    }

    /// Destinations that have a place of those that may be at work at once.
    var places: Int { self.destinations.count }

    /// Nothing is under way.
    var isIdle: Bool { self.destinations.values.allSatisfy(\.isIdle) }
}
