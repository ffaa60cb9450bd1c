package import ClusterModel
package import MailModel
package import QueueStore

/// What keeping leases needs of the queue's store.
package protocol LeaseStore: Sendable {
    /// This node's name.
    var node: String { get }
    var shardMap: ShardMap { get }
    var terms: LeaseTerms { get }

    func databaseTime() async throws(QueueStoreError) -> Timestamp
    func sightingOfNode() async throws(QueueStoreError) -> NodeSighting?
    func registerNode(replacing silent: NodeSighting?) async throws(QueueStoreError)
    func unregisterNode() async throws(QueueStoreError)
    func sightings(of shards: [Shard]) async throws(QueueStoreError) -> [Shard: LeaseSighting]
    func acquireLeases(
        _ shards: [Shard], silent: [Shard: LeaseSighting]
    ) async throws(QueueStoreError) -> [Lease]
    func renew(_ leases: [Lease]) async throws(QueueStoreError) -> [Lease]
    func release(_ leases: [Lease]) async throws(QueueStoreError)
}

extension QueueStore: LeaseStore {}
