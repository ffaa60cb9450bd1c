import PostgresDriver

/// What sees the oldest state of the database: nothing that was removed since can be cleared away.
public struct OldestSnapshot: Hashable, Sendable {
    /// What holds it.
    public enum Kind: String, Hashable, Sendable {
        case transaction
        case preparedTransaction = "prepared transaction"
        case replicationSlot = "replication slot"
        case standby
    }

    /// What holds it.
    public let kind: Kind
    /// Which one, for people.
    public let holder: String
    /// The oldest transaction that it does not see as ended. As long as this stays, nothing is cleared away.
    public let horizon: String
    /// For how long, where the database knows.
    public let age: Duration?

    /// A snapshot.
    public init(kind: Kind, holder: String, horizon: String, age: Duration?) {
        self.kind = kind
        self.holder = holder
        self.horizon = horizon
        self.age = age
    }
}

/// What can be seen of other sessions.
public enum SnapshotView: Hashable, Sendable {
    /// Nothing holds an old state.
    case none
    /// This one holds the oldest.
    case oldest(OldestSnapshot)
    /// The owner of the schema may not see the sessions of others: it lacks `pg_read_all_stats`.
    case hidden
}

extension QueueStore {
    /// Looks for what keeps removed rows from being cleared away.
    public func oldestSnapshot() async throws(QueueStoreError) -> SnapshotView {
        let results = try await self.pool.idempotently([
            Statement("SELECT kind, holder, xmin, microseconds FROM relay.oldest_snapshot()")
        ])
        guard let row = results[0].rows.first else { return .none }
        guard let kind = OldestSnapshot.Kind(rawValue: try row.value(0)) else { return .hidden }
        return .oldest(
            OldestSnapshot(
                kind: kind, holder: try row.value(1), horizon: try row.value(2),
                age: try row.value(3, as: Int64?.self).map { .microseconds($0) }))
    }
}
