public import ClusterModel
public import MailModel
public import PostgresDriver

/// The queue as the owner of shards works with it: leases, claims, attempts and their outcomes.
///
/// Every transaction that changes entries begins with the fence, which fails it as a whole when the epoch of a shard is
/// no longer ours. Nothing here holds a connection while anybody waits for a peer.
///
/// What owners call is `@concurrent`: their executors are event loops, and to write and read hundreds of rows takes
/// milliseconds.
public final class QueueStore: Sendable {
    /// The connections.
    public let pool: PostgresPool
    /// The connections of lease renewal, so that it never waits behind mail.
    let leasePool: PostgresPool
    /// This node's name, unique among running nodes.
    public let node: String
    /// Which shard a message's entry goes to.
    public let shardMap: ShardMap
    /// How leases are kept.
    public let terms: LeaseTerms
    /// Tells this run of the node from an earlier one, or from another of the same name.
    let incarnation: PostgresUUID

    /// Pool settings for the queue: a session that forgets a transaction loses it before its lease does. A commit is on
    /// disk when it is reported.
    public static func poolSettings(connectionString: String) -> PoolSettings {
        var settings = PoolSettings(connectionString: connectionString)
        settings.sessionSettings = [
            "synchronous_commit": "on", "default_transaction_isolation": "read committed",
            "idle_in_transaction_session_timeout": "5s", "statement_timeout": "15s",
            "jit": "off", "search_path": "pg_catalog",
            // Plans are made once for each session, perhaps while the queue is empty, and must be right for a million
            // entries. Every access goes by key, so every join is a loop over index look-ups.
            "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off",
            "enable_mergejoin": "off", "enable_bitmapscan": "off",
        ]
        // Still they must not be older than the statistics by much: those of an empty table know no difference between
        // its indexes.
        settings.planLifetime = .seconds(10)
        return settings
    }

    /// The version of the schema where a newer program has migrated the database, and this one may work with it.
    public let newerSchema: Int32?

    /// Opens the queue of a database that has been migrated; reads how many shards it has.
    ///
    /// - Parameters:
    ///   - leasePool: for leases and the clock alone; a small one of its own keeps a busy node from losing its shards.
    ///   - fanout: of hot domains; the same on every node.
    public init(
        pool: PostgresPool, leasePool: PostgresPool? = nil, node: String, fanout: [DomainName: Int] = [:],
        terms: LeaseTerms = LeaseTerms()
    ) async throws(QueueStoreError) {
        self.pool = pool
        self.leasePool = leasePool ?? pool
        self.node = node
        self.terms = terms
        var generator = SystemRandomNumberGenerator()
        self.incarnation = PostgresUUID(high: generator.next(), low: generator.next())
        let schema = try await SchemaVersion.read(from: pool)
        if let error = QueueStoreError(schema) { throw error }
        self.newerSchema = schema.isNewer ? schema.version : nil
        let results = try await pool.idempotently([Statement("SELECT count(*) FROM relay.shard_lease")])
        let count: Int64 = try Self.only(results[0]).value(0)
        guard let map = ShardMap(count: Int(count), fanout: fanout) else {
            throw QueueStoreError(.unreadable, "the queue has \(count) shards, not a power of two")
        }
        self.shardMap = map
    }

    /// The database's clock, which decides what is due and what has expired.
    public func databaseTime() async throws(QueueStoreError) -> Timestamp {
        let results = try await self.leasePool.idempotently([Statement("SELECT clock_timestamp()")])
        return Timestamp(try Self.only(results[0]).value(0))
    }

    static func only(_ result: QueryResult) throws(QueueStoreError) -> QueryResult.Row {
        do throws(PostgresError) {
            return try result.single()
        } catch {
            throw QueueStoreError(error)
        }
    }

    /// The statement that begins each of the owner's transactions.
    static func fence(_ terms: Set<ShardTerm>) -> Statement {
        let terms = terms.sorted { $0.shard < $1.shard }
        return Statement("SELECT relay.fence($1, $2)", terms.map(\.shard.rawValue), terms.map(\.epoch.rawValue))
    }
}
