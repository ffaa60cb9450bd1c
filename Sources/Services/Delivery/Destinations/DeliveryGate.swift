import ClusterModel
import DatabaseHealth
import ServiceSupport
package import ShardLeases

/// Whether deliveries may begin and go on.
package struct DeliveryGate: Sendable {
    package let leases: LeaseTable
    /// What operators say of all mail to some domains.
    package let standing: StandingRules
    /// Knows whether the database is well.
    let monitor: StoreMonitor?

    /// Whether an attempt may begin. It may not while the database is not well, since what is sent could not be marked
    /// as sent, nor before operators' rules are known.
    var isOpen: Bool { (self.monitor?.isOpen ?? true) && self.standing.areKnown }

    /// Whether work on a shard may go on: besides, the shard is ours in this term.
    func isOpen(for term: ShardTerm) -> Bool { self.isOpen && self.leases.isHeld(term) }
}
