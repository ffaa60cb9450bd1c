import ClusterModel
import MailModel

@testable import QueueStore

// MARK: - Leases

extension ModelStore {
    mutating func register(
        _ client: StoreClient, replacing silent: NodeSight?, at now: Timestamp
    ) throws(Refusal) -> StoreAnswer {
        let isSilent = silent != nil && silent == self.sighting(of: client.name)
        if !isSilent, let known = self.nodes[client.name], known.run != client.run, let seen = known.seenAt,
            seen + self.terms.timeToLive > now
        {
            throw Refusal(code: .duplicateNode)
        }
        self.nodes[client.name] = NodeRow(run: client.run, seenAt: now)
        return .done
    }

    mutating func unregister(_ client: StoreClient) -> StoreAnswer {
        if self.nodes[client.name]?.run == client.run { self.nodes[client.name]?.seenAt = nil }
        return .done
    }

    func sighting(of name: String) -> NodeSight? {
        self.nodes[name].map { NodeSight(client: StoreClient(name: name, run: $0.run), seenAt: $0.seenAt) }
    }

    /// The leases of these that somebody has, run out or not.
    func sightings(of shards: [Shard]) -> [Shard: LeaseSighting] {
        var sightings: [Shard: LeaseSighting] = [:]
        for shard in shards {
            let lease = self.leases[Int(shard.rawValue)]
            guard lease.owner != nil, let end = lease.expiresAt else { continue }
            sightings[shard] = LeaseSighting(epoch: Epoch(rawValue: lease.epoch), expiresAt: end.stored)
        }
        return sightings
    }

    mutating func acquire(
        _ shards: [Shard], silent: [Shard: LeaseSighting], by client: StoreClient, at now: Timestamp
    ) -> StoreAnswer {
        let standing = self.sightings(of: shards)
        var taken: [ShardTerm] = []
        for shard in shards.sorted() {
            let index = Int(shard.rawValue)
            let lease = self.leases[index]
            let isSilent = silent[shard] != nil && silent[shard] == standing[shard]
            let isOver = lease.expiresAt.map { $0 <= now } ?? false
            guard lease.owner == nil || lease.owner == client || isOver || isSilent else { continue }
            self.leases[index] = LeaseRow(
                epoch: lease.epoch + 1, owner: client, expiresAt: now + self.terms.timeToLive)
            taken.append(ShardTerm(shard: shard, epoch: Epoch(rawValue: lease.epoch + 1)))
        }
        return .terms(taken)
    }

    mutating func renew(_ terms: [ShardTerm], by client: StoreClient, at now: Timestamp) -> StoreAnswer {
        if self.nodes[client.name]?.run == client.run { self.nodes[client.name]?.seenAt = now }
        let kept = terms.filter { self.isOwned($0, by: client) }
        for term in kept { self.leases[Int(term.shard.rawValue)].expiresAt = now + self.terms.timeToLive }
        return .terms(kept.sorted { $0.shard < $1.shard })
    }

    mutating func release(_ terms: [ShardTerm], by client: StoreClient) -> StoreAnswer {
        for term in terms where self.isOwned(term, by: client) {
            self.leases[Int(term.shard.rawValue)].owner = nil
            self.leases[Int(term.shard.rawValue)].expiresAt = nil
        }
        return .done
    }

    private func isOwned(_ term: ShardTerm, by client: StoreClient) -> Bool {
        let lease = self.leases[Int(term.shard.rawValue)]
        return lease.epoch == term.epoch.rawValue && lease.owner == client
    }
}
