import ClusterModel
import DatabaseHealth
import MailModel

@testable import EdgeNode
@testable import QueueStore

/// `DueScanner`: finds what is due, by hints, by what became due lately, and by walks through all. Also
/// `QueueMaintenance.promote`, which brings deferred entries back.
///
/// When to look at what is for the product's `LookPlan` to say. It counts in seconds, and the scenario in its unit.
final class SimulatedFinder {
    private unowned let node: SimulatedNode
    private var plan = LookPlan()

    init(_ node: SimulatedNode) { self.node = node }

    /// Looks until the node stops.
    func run() {
        guard !self.node.isStopping else { return }
        let terms = self.node.leases.terms
        guard self.node.monitor.isOpen, !terms.isEmpty else { return self.rest(isLost: true) }
        self.plan.begin(terms, at: self.node.unitClock)
        self.node.store.idempotently(.lately(terms, since: self.plan.seen)) { result in
            guard case .success(.lately(let due, let moment)) = result else { return self.rest(isLost: true) }
            self.plan.seen = moment
            for entry in due { self.node.due(entry) }
            if self.plan.isPageDue(at: self.node.unitClock) { self.walk(terms) } else { self.rest() }
        }
    }

    private func walk(_ terms: [ShardTerm]) {
        let started = self.node.unitClock
        self.node.store.idempotently(.walk(terms, after: self.plan.cursor, limit: self.node.scenario.walkPage)) {
            guard case .success(.walked(let due, let cursor)) = $0 else { return self.rest(isLost: true) }
            let took = self.node.unitClock - started
            for entry in due { self.node.due(entry) }
            self.plan.pageEnded(.read(cursor), after: took, at: self.node.unitClock)
            self.rest()
        }
    }

    private func rest(isLost: Bool = false) {
        if isLost { self.plan.forget() }
        self.node.after(self.plan.pause * self.node.scenario.secondsPerUnit) { self.run() }
    }

    /// New mail has come.
    func hinted(_ message: AcceptedMessage) {
        guard self.node.monitor.isOpen else { return }
        for entry in message.entries {
            let shard = self.node.scenario.map.shard(for: entry.domain, message: message.id)
            self.node.arrived(DueEntry(shard: shard, destination: entry.domain))
        }
    }

    // MARK: - QueueMaintenance

    /// Brings deferred entries back until the node stops.
    func promote() {
        guard !self.node.isStopping else { return }
        self.promote(self.node.leases.terms[...])
    }

    private func promote(_ terms: ArraySlice<ShardTerm>) {
        guard let term = terms.first else {
            return self.node.after(self.node.scenario.upkeepInterval) { self.promote() }
        }
        self.node.store.idempotently(.promote(term)) { _ in self.promote(terms.dropFirst()) }
    }
}
