import ClusterModel
import DeliveryQueue
import MailModel

@testable import QueueStore

/// `QueueShard`: one shard in one term, with its destinations that have work.
final class SimulatedShard {
    let term: ShardTerm
    private unowned let node: SimulatedNode
    private var destinations: [DomainName: SimulatedDestination] = [:]
    private var blocked: BlockedDomains
    private var isStopping = false

    init(node: SimulatedNode, term: ShardTerm) {
        self.node = node
        self.term = term
        self.blocked = BlockedDomains(testInterval: node.scenario.testInterval)
    }

    /// New mail has come: no reason to look at a domain that is known to be left alone, but for a test now and then.
    func arrived(_ domain: DomainName) {
        switch self.blocked.arrived(domain, at: self.node.databaseNow) {
        case .wait: ()
        case .look: self.due(domain)
        case .test: self.due(domain, testsEarly: true)
        }
    }

    func due(_ domain: DomainName, testsEarly: Bool = false) {
        self.blocked.due(domain)
        guard !self.isStopping else { return }
        if self.node.surroundings.broken != .entryTwice, let destination = self.destinations[domain],
            destination.wake()
        {
            return
        }
        let destination = SimulatedDestination(node: self.node, shard: self, domain: domain, testsEarly: testsEarly)
        self.destinations[domain] = destination
        destination.start()
    }

    func ended(_ destination: SimulatedDestination) {
        guard self.destinations[destination.domain] === destination else { return }
        self.destinations[destination.domain] = nil
        self.blocked.ended(
            destination.domain, until: destination.work.blockedUntil, wasTried: destination.work.hasTried,
            at: self.node.databaseNow)
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
