public import ClusterModel
import MailModel
import OperatingSystem
import PostgresDriver

extension QueueStore {
    /// Enters this node into the list. Throws `duplicateNode` while another run of the same name was seen within the
    /// time to live of a lease. After a crash, try again until that has passed.
    ///
    /// - Parameter silent: a run of the same name that has not been seen alive for so long by a clock that nobody sets.
    ///   It is replaced, whatever the database's clock says.
    public func registerNode(replacing silent: NodeSighting? = nil) async throws(QueueStoreError) {
        let results = try await self.leasePool.idempotently([
            Statement(
                """
                INSERT INTO relay.node AS n (name, incarnation, seen_at) VALUES ($1, $2, clock_timestamp())
                ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, seen_at = clock_timestamp()
                WHERE n.incarnation = excluded.incarnation
                    OR n.seen_at <= clock_timestamp() - $3 * interval '1 microsecond'
                    OR (n.incarnation = $4 AND n.seen_at = $5)
                RETURNING 1
                """, self.node, self.incarnation, self.terms.timeToLive.storedMicroseconds,
                silent?.incarnation ?? PostgresUUID(high: 0, low: 0),
                silent?.seenAt ?? PostgresTimestamp(microseconds: 0))
        ])
        guard results[0].count == 1 else {
            throw QueueStoreError(.duplicateNode, "another node named \(self.node) is running")
        }
    }

    /// Takes those of the shards that nobody owns, or whose lease has run out. Raising the epoch waits for what the former
    /// owner has begun, and fails all that it begins later.
    ///
    /// - Parameter silent: leases that were not renewed for their whole life by a clock that nobody sets. They are taken if they
    ///   still look like that, whatever the database's clock says.
    public func acquireLeases(
        _ shards: [Shard], silent: [Shard: LeaseSighting] = [:]
    ) async throws(QueueStoreError) -> [Lease] {
        let sentAt = MonotonicInstant.now
        let still = silent.sorted { $0.key < $1.key }
        // When its answer was lost, repeating it finds the shards taken by ourselves, and takes them again.
        let results = try await self.leasePool.idempotently([
            Statement(
                """
                WITH free AS (
                    SELECT shard FROM relay.shard_lease h WHERE shard = ANY ($1)
                        AND (owner IS NULL OR expires_at <= clock_timestamp() OR incarnation = $3
                            OR EXISTS (SELECT FROM unnest($5::int2[], $6::int8[], $7::timestamptz[])
                                AS s (shard, epoch, expires_at)
                                WHERE s.shard = h.shard AND s.epoch = h.epoch AND s.expires_at = h.expires_at))
                    ORDER BY shard FOR UPDATE)
                UPDATE relay.shard_lease l SET epoch = l.epoch + 1, owner = $2, incarnation = $3,
                    expires_at = clock_timestamp() + $4 * interval '1 microsecond'
                FROM free WHERE l.shard = free.shard RETURNING l.shard, l.epoch
                """, shards.map(\.rawValue), self.node, self.incarnation, self.terms.timeToLive.storedMicroseconds,
                still.map(\.key.rawValue), still.map(\.value.epoch.rawValue), still.map(\.value.expiresAt))
        ])
        return try Self.terms(results[0]).map {
            Lease(shard: $0.shard, epoch: $0.epoch, sentAt: sentAt, terms: self.terms)
        }
    }

    /// The leases of these shards that others hold, as they stand.
    public func sightings(of shards: [Shard]) async throws(QueueStoreError) -> [Shard: LeaseSighting] {
        let results = try await self.leasePool.idempotently([
            Statement(
                """
                SELECT shard, epoch, expires_at FROM relay.shard_lease
                WHERE shard = ANY ($1) AND owner IS NOT NULL AND expires_at IS NOT NULL
                """, shards.map(\.rawValue))
        ])
        var sightings: [Shard: LeaseSighting] = [:]
        for row in results[0].rows {
            sightings[Shard(rawValue: try row.value(0))] = LeaseSighting(
                epoch: Epoch(rawValue: try row.value(1)), expiresAt: try row.value(2))
        }
        return sightings
    }

    /// The run of a node of this name that is in the list, if there is one.
    public func sightingOfNode() async throws(QueueStoreError) -> NodeSighting? {
        let results = try await self.leasePool.idempotently([
            Statement("SELECT incarnation, seen_at FROM relay.node WHERE name = $1", self.node)
        ])
        guard let row = results[0].rows.first else { return nil }
        return NodeSighting(incarnation: try row.value(0), seenAt: try row.value(1))
    }

    /// Renews leases in place. A lease that is lost is taken out of the array: stop all work on its shard at once.
    public func renew(_ leases: [Lease]) async throws(QueueStoreError) -> [Lease] {
        let sentAt = MonotonicInstant.now
        let results = try await self.leasePool.idempotently([
            Statement("UPDATE relay.node SET seen_at = clock_timestamp() WHERE incarnation = $1", self.incarnation),
            Statement(
                """
                UPDATE relay.shard_lease l SET expires_at = clock_timestamp() + $4 * interval '1 microsecond'
                FROM unnest($1, $2) AS t (shard, epoch)
                WHERE l.shard = t.shard AND l.epoch = t.epoch AND l.incarnation = $3 RETURNING l.shard, l.epoch
                """, leases.map(\.shard.rawValue), leases.map(\.epoch.rawValue), self.incarnation,
                self.terms.timeToLive.storedMicroseconds),
        ])
        let kept = Set(try Self.terms(results[1]))
        return leases.filter { kept.contains($0.term) }.map { lease in
            var lease = lease
            lease.renewed(sentAt: sentAt)
            return lease
        }
    }

    /// Gives leases back, so that others need not wait for them to run out. Their epochs stay as they are.
    public func release(_ leases: [Lease]) async throws(QueueStoreError) {
        try await self.leasePool.idempotently([
            Statement(
                """
                UPDATE relay.shard_lease l SET owner = NULL, incarnation = NULL, expires_at = NULL
                FROM unnest($1, $2) AS t (shard, epoch)
                WHERE l.shard = t.shard AND l.epoch = t.epoch AND l.incarnation = $3
                """, leases.map(\.shard.rawValue), leases.map(\.epoch.rawValue), self.incarnation)
        ])
    }

    /// Takes this node out of the list, so that the next run need not wait.
    public func unregisterNode() async throws(QueueStoreError) {
        try await self.leasePool.idempotently([
            Statement("UPDATE relay.node SET seen_at = '-infinity' WHERE incarnation = $1", self.incarnation)
        ])
    }

    private static func terms(_ result: QueryResult) throws(QueueStoreError) -> [ShardTerm] {
        var terms: [ShardTerm] = []
        for row in result.rows {
            terms.append(
                ShardTerm(shard: Shard(rawValue: try row.value(0)), epoch: Epoch(rawValue: try row.value(1))))
        }
        return terms
    }
}

/// A lease that another node holds, as it was read: each renewal changes it.
public struct LeaseSighting: Hashable, Sendable {
    /// The term.
    let epoch: Epoch
    /// When it ends, by the database's clock.
    let expiresAt: PostgresTimestamp
}

/// A run of a node, as it was read: each renewal of its leases changes it.
public struct NodeSighting: Hashable, Sendable {
    /// Which run.
    let incarnation: PostgresUUID
    /// When it was last seen alive, by the database's clock.
    let seenAt: PostgresTimestamp
}
