import ClusterModel
import MailModel
import ShardLeases

@testable import Delivery
@testable import PostgresDriver
@testable import QueueStore

/// The queue as a node's lease keeper sees it. The node reckons on a clock on which a unit of the scenario is a second.
final class SimulatedLeaseStore: LeaseStore, @unchecked Sendable {
    let node: String
    let shardMap: ShardMap
    let terms: LeaseTerms
    private unowned let process: SimulatedNode
    private let leaseTerms: LeaseTerms

    init(_ process: SimulatedNode) {
        self.process = process
        self.node = process.client.name
        self.shardMap = process.scenario.map
        let broken = process.surroundings.broken
        self.leaseTerms = LeaseTerms(finalDotMargin: broken == .noFinalDotMargin ? .zero : LeaseTerms().finalDotMargin)
        // Another's lease or run that stood still for so long is over; by a rule that is broken, for less than a renewal takes.
        self.terms = LeaseTerms(
            timeToLive: broken == .impatientWatch ? LeaseTerms().timeToLive / 4 : LeaseTerms().timeToLive)
    }

    private func perform(_ transaction: StoreTransaction) async throws(QueueStoreError) -> StoreAnswer {
        try await Retrying.idempotently { () async throws(PostgresError) -> StoreAnswer in
            try await self.process.link.send(transaction).get()
        }
    }

    func databaseTime() async throws(QueueStoreError) -> Timestamp {
        guard case .time(let time) = try await self.perform(.time) else { throw .unexpected }
        return time
    }

    // MARK: - The node

    func sightingOfNode() async throws(QueueStoreError) -> NodeSighting? {
        guard case .node(let sight) = try await self.perform(.sightNode) else { throw .unexpected }
        return sight.map {
            NodeSighting(
                incarnation: PostgresUUID(high: 0, low: UInt64($0.client.run)),
                seenAt: $0.seenAt?.stored ?? PostgresTimestamp(microseconds: .min))
        }
    }

    func registerNode(replacing silent: NodeSighting?) async throws(QueueStoreError) {
        let sight = silent.map {
            NodeSight(
                client: StoreClient(name: self.node, run: Int($0.incarnation.low)),
                seenAt: $0.seenAt.microseconds == .min ? nil : Timestamp($0.seenAt))
        }
        guard case .done = try await self.perform(.register(replacing: sight)) else {
            throw QueueStoreError(.duplicateNode, "another node of this name is running")
        }
    }

    func unregisterNode() async throws(QueueStoreError) { _ = try await self.perform(.unregister) }

    // MARK: - Leases

    func sightings(of shards: [Shard]) async throws(QueueStoreError) -> [Shard: LeaseSighting] {
        guard case .leases(let sightings) = try await self.perform(.sightLeases(shards)) else { throw .unexpected }
        return sightings
    }

    func acquireLeases(
        _ shards: [Shard], silent: [Shard: LeaseSighting]
    ) async throws(QueueStoreError) -> [Lease] {
        let sentAt = self.process.clock.now
        guard case .terms(let terms) = try await self.perform(.acquire(shards, silent: silent)) else {
            throw .unexpected
        }
        return terms.map {
            Lease(shard: $0.shard, epoch: $0.epoch, sentAt: self.granted(sentAt), terms: self.leaseTerms)
        }
    }

    func renew(_ leases: [Lease]) async throws(QueueStoreError) -> [Lease] {
        let sentAt = self.process.clock.now
        guard case .terms(let kept) = try await self.perform(.renew(leases.map(\.term))) else { throw .unexpected }
        return leases.filter { kept.contains($0.term) }.map { lease in
            var lease = lease
            lease.renewed(sentAt: self.granted(sentAt))
            return lease
        }
    }

    /// From when a lease is reckoned that was asked for then: from the request, and by a rule that is broken, from the answer.
    private func granted(_ sentAt: MonotonicInstant) -> MonotonicInstant {
        self.process.surroundings.broken == .leaseFromAnswer ? self.process.clock.now : sentAt
    }

    func release(_ leases: [Lease]) async throws(QueueStoreError) {
        _ = try await self.perform(.release(leases.map(\.term)))
    }
}
