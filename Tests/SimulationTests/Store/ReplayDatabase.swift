import ClusterModel
import LabDatabase
import MailModel
import OperatingSystem
import PostgresDriver

@testable import QueueStore

/// A real queue on a clock of ours.
///
/// The queue's statements find `now()` and `clock_timestamp()` in a schema of this database before they find those of
/// PostgreSQL. So a history replays at its own times, to the microsecond, and nothing waits.
final class ReplayDatabase {
    private let admin: PostgresPool
    private let pool: PostgresPool
    private let terms: LeaseTerms
    private var stores: [StoreClient: QueueStore] = [:]

    /// Runs `body` with a database of its own, which is gone afterwards.
    static func run(
        shards: Int, terms: LeaseTerms, _ body: (ReplayDatabase) async throws -> Void
    ) async throws {
        try await PrivateDatabase.with("replay") { home in
            try await home.makeQueue(shards: shards)
            let database = Self(home, terms: terms)
            defer { database.close() }
            try await database.admin.script(Self.clock)
            try await body(database)
        }
    }

    private init(_ database: PrivateDatabase, terms: LeaseTerms) {
        self.terms = terms
        self.admin = database.pool(change: Self.patient)
        // One connection: the clock is a setting of the session.
        self.pool = database.pool(QueueStore.poolSettings) { settings in
            settings.sessionSettings["search_path"] = "replay,pg_catalog"
            Self.patient(&settings)
        }
    }

    /// The machine may be busy, and nothing here is about time.
    private static func patient(_ settings: inout PoolSettings) {
        settings.acquireTimeout = .seconds(60)
        settings.statementTimeout = .seconds(60)
    }

    private func close() {
        self.pool.shutDown()
        self.admin.shutDown()
    }

    private static let clock = """
        CREATE SCHEMA replay;
        CREATE FUNCTION replay.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
            SELECT timestamptz 'epoch' + current_setting('replay.microseconds')::int8 * interval '1 microsecond' $$;
        CREATE FUNCTION replay.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT replay.now() $$;
        ALTER TABLE relay.open_attempt ALTER opened_at SET DEFAULT replay.now();
        """

    /// As it was when it was made.
    func empty() async throws {
        self.stores.removeAll()
        try await self.admin.script(
            """
            TRUNCATE relay.node, relay.message, relay.staged_body, relay.body_chunk, relay.ready, relay.deferred,
                relay.destination, relay.open_attempt, relay.trace, relay.queue_counter,
                relay.queue_waiting;
            UPDATE relay.shard_lease SET epoch = 0, owner = NULL, incarnation = NULL, expires_at = NULL;
            """)
    }

    /// Executes a transaction by the product's own code.
    func perform(_ transaction: StoreTransaction, by client: StoreClient, at now: Timestamp) async throws -> StoreAnswer
    {
        try await self.set(now)
        let store = try await self.store(of: client)
        do throws(QueueStoreError) {
            return try await self.execute(transaction, on: store)
        } catch {
            // A fault of the database itself is none of the contract.
            guard [.staleEpoch, .entryChanged, .duplicateNode].contains(error.code) else { throw error }
            return .refused(error.code, stale: error.staleTerms)
        }
    }

    private func set(_ now: Timestamp) async throws {
        let setting = Statement("SELECT set_config('replay.microseconds', $1, false)", "\(now.microseconds)")
        try await self.pool.query(setting)
    }

    private func store(of client: StoreClient) async throws(QueueStoreError) -> QueueStore {
        if let store = self.stores[client] { return store }
        let store = try await QueueStore(pool: self.pool, node: client.name, terms: self.terms)
        self.stores[client] = store
        return store
    }

    private func execute(
        _ transaction: StoreTransaction, on store: QueueStore
    ) async throws(QueueStoreError) -> StoreAnswer {
        switch transaction {
        case .register(let silent): try await store.registerNode(replacing: silent.flatMap(self.sighting))
        case .unregister: try await store.unregisterNode()
        case .sightNode: return .node(try await store.sightingOfNode().flatMap(self.sight))
        case .time: return .time(try await store.databaseTime())
        case .sightLeases(let shards): return .leases(try await store.sightings(of: shards))
        case .acquire(let shards, let silent):
            return .terms(Self.terms(try await store.acquireLeases(shards, silent: silent)))
        case .renew(let terms): return .terms(Self.terms(try await store.renew(Self.leases(terms))))
        case .release(let terms): try await store.release(Self.leases(terms))
        case .enqueue(let message):
            try await QueueWriter(pool: self.pool, map: store.shardMap, node: store.node).enqueue(message)
        case .lately(let terms, let moment):
            let lately = try await store.latelyDue(terms, since: moment)
            return .lately(Set(lately.due).inOrder, lately.moment)
        case .walk(let terms, let cursor, let limit):
            let page = try await store.dueDestinations(terms, after: cursor, limit: limit)
            return .walked(Set(page.due).inOrder, page.cursor)
        case .claim(let term, let domain, let cursor, let count):
            let claim = try await store.claim(term, destination: domain, after: cursor, maximumCount: count)
            return .claimed(Self.page(claim))
        case .overdue(let term, let domain, let criteria, let cursor, let count):
            let claim = try await store.overdueEntries(
                term, destination: domain, criteria, after: cursor, maximumCount: count, lookedAt: 2 * count)
            return .claimed(Self.page(claim))
        case .promote(let term): return .promoted(try await store.promoteDeferred(term))
        case .carry(let term):
            try await store.carryOver(term)
            try await store.rotateReady(atLeast: 0)
        case .checkStorage: try await store.checkStorage(pieces: 1)
        case .open(let attempts): return .opened(try await store.openTogether(attempts.map { ($0.entry, $0.epoch) }))
        case .recordOutcomes(let outcomes):
            // No answer depends on the trace, which is kept by days of the real clock.
            let traceless = outcomes.map(\.traceless)
            try await store.recordTogether(traceless).mapError(QueueStoreError.init).get()
        case .deliverLate(let outcome, let undelivered):
            return .late(isRecorded: try await store.recordLateDelivery(outcome.traceless, undelivered: undelivered))
        case .survey:
            let totals = try await store.storedTotals().totals.filter { $0.value != .init() }
            return .survey(StoredTotals(totals), try await self.entries())
        }
        return .done
    }

    private func entries() async throws(QueueStoreError) -> [SurveyedEntry] {
        let page = try await QueueAdministration(pool: self.pool).page(of: QueueSelection(), span: 10_000)
        return page.entries.map { entry in
            SurveyedEntry(
                key: entry.key, isDeferred: entry.place == .deferred, sender: entry.sender,
                recipients: entry.recipients, size: entry.size, arrival: entry.arrival,
                nextAttempt: entry.nextAttempt, attempts: entry.attempts, lastStatus: entry.lastStatus,
                lastReason: entry.lastReason)
        }
    }

    /// What the product tells runs apart by, it makes up at random.
    private func sighting(_ sight: NodeSight) -> NodeSighting? {
        self.stores[sight.client].map {
            NodeSighting(
                incarnation: $0.incarnation, seenAt: sight.seenAt?.stored ?? PostgresTimestamp(microseconds: .min))
        }
    }

    private func sight(_ sighting: NodeSighting) -> NodeSight? {
        let client = self.stores.first { $0.value.incarnation == sighting.incarnation }?.key
        // Before all times that are used here is minus infinity.
        let seenAt = sighting.seenAt.microseconds < 0 ? nil : Timestamp(sighting.seenAt)
        return client.map { NodeSight(client: $0, seenAt: seenAt) }
    }

    private static func page(_ claim: Claim) -> ClaimedPage {
        ClaimedPage(
            entries: claim.entries, cursor: claim.cursor, backoff: claim.backoff,
            isBackoffInForce: claim.isBackoffInForce)
    }

    private static func terms(_ leases: [Lease]) -> [ShardTerm] {
        leases.map(\.term).sorted { $0.shard < $1.shard }
    }

    private static func leases(_ terms: [ShardTerm]) -> [Lease] {
        terms.map { Lease(shard: $0.shard, epoch: $0.epoch, sentAt: .now) }
    }
}

extension RecordedOutcome {
    fileprivate var traceless: RecordedOutcome {
        var outcome = self
        outcome.events = []
        return outcome
    }
}
