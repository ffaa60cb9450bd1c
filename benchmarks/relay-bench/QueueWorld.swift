import ClusterModel
import LabDatabase
import LabSupport
import MailModel
import PostgresDriver
import QueueStore

/// A durable database with a queue in it, and a node that owns all of its shards.
final class QueueWorld: Sendable {
    /// A domain that is held back; a tenth of all entries is for it.
    static let dead = DomainName("dead.test")

    let admin: PostgresPool
    let pool: PostgresPool
    let store: QueueStore
    let writer: QueueWriter
    /// The queue as operators have it.
    let operators: QueueAdministration
    private let operatorPool: PostgresPool
    let terms: [Shard: ShardTerm]
    let names: [DomainName]
    private let body: Int

    static func with(destinations: Int, body: Int, _ work: (QueueWorld) async throws -> Void) async throws {
        try await PrivatePostgres.withServer(durability: .durable) { server in
            let world = try await QueueWorld(server, destinations: destinations, body: body)
            defer {
                world.operatorPool.shutDown()
                world.pool.shutDown()
                world.admin.shutDown()
            }
            try await work(world)
        }
    }

    private init(_ server: PrivatePostgres, destinations: Int, body: Int) async throws {
        let database = PrivateDatabase.first(of: server)
        try await database.makeQueue()
        self.admin = database.pool(size: 2) { $0.statementTimeout = .seconds(3600) }
        self.operatorPool = database.pool(QueueAdministration.poolSettings, as: QueueLogin.person)
        self.operators = try await QueueAdministration(pool: self.operatorPool)
        self.pool = database.pool(QueueStore.poolSettings, as: QueueLogin.node, size: 8) { settings in
            settings.statementTimeout = .seconds(60)
        }
        // Sessions and their plans are there before the first entry, as on a node.
        self.store = try await QueueStore(pool: self.pool, node: "bench", terms: LeaseTerms(timeToLive: .seconds(3600)))
        try await self.store.registerNode()
        let leases = try await self.store.acquireLeases(self.store.shardMap.shards)
        self.terms = Dictionary(uniqueKeysWithValues: leases.map { ($0.shard, $0.term) })
        self.writer = QueueWriter(pool: self.pool, map: self.store.shardMap, node: "bench")
        self.body = body
        self.names = (1...destinations).compactMap { DomainName("d\($0).test") }
        try await self.makeDestinations()
    }

    /// Every term, for polls of all shards.
    var allTerms: [ShardTerm] { Array(self.terms.values) }

    func term(of name: DomainName) throws -> ShardTerm {
        let shard = self.store.shardMap.shard(for: name, message: MessageID(high: 0, low: 0))
        guard let term = self.terms[shard] else { throw LabFailure("shard \(shard) is not ours") }
        return term
    }

    func deadDomain() throws -> DomainName {
        guard let name = Self.dead else { throw LabFailure("no name") }
        return name
    }

    private func makeDestinations() async throws {
        let names = [try self.deadDomain()] + self.names
        try await self.admin.script("CREATE TABLE public.domain (i int4 PRIMARY KEY, shard int2, name text)")
        try await self.admin.query(
            Statement(
                "INSERT INTO public.domain SELECT i - 1, s, n FROM unnest($1, $2) WITH ORDINALITY AS d (s, n, i)",
                try names.map { try self.term(of: $0).shard.rawValue }, names.map(\.text)))
        try await self.admin.script(
            """
            INSERT INTO relay.destination (shard, destination, blocked_until, failures, reason)
            SELECT shard, name, now() + interval '2 hours', 3, 'unreachable' FROM public.domain WHERE i = 0
            """)
    }

    /// Adds entries until there are so many, a tenth for the dead domain. Of the others half are ready, one half of
    /// these due, and half deferred. Each has its message, its trace row and its part of the sums.
    func fill(to count: Int) async throws {
        var present = try await self.store.storedTotal().entries
        while present < count {
            let step = min(50_000, count - present)
            try await self.admin.query(
                Statement(
                    Self.fillSQL, Int64(present), Int64(step), Int64(self.names.count),
                    PostgresBytes([UInt8](repeating: 0x78, count: self.body))))
            present += step
        }
    }

    private static let fillSQL = """
        WITH made AS (
            SELECT n, d.shard, d.name, d.i = 0 OR n % 2 = 0 AS is_ready, d.i = 0 OR n % 4 = 0 AS is_due,
                (lpad(to_hex((extract(epoch FROM now()) * 1000)::int8), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
                    || '8' || substr(md5(n::text), 1, 15))::uuid AS id,
                jsonb_build_array(jsonb_build_object('address', 'bob@' || d.name)) AS recipients
            FROM generate_series($1 + 1, $1 + $2) AS n
            JOIN public.domain d ON d.i = CASE WHEN n % 10 = 0 THEN 0 ELSE 1 + (n / 10 * 9 + n % 10) % $3 END
        ), messages AS (
            INSERT INTO relay.message (shard, message_id, sender, attributes, size, body, chunks, remaining)
            SELECT shard, id, 'alice@alpha.test', '{}', length($4::bytea), $4::bytea, 0, 1 FROM made
        ), ready AS (
            INSERT INTO relay.ready (shard, message_id, domain, generation, destination, next_attempt_at, arrived_at,
                attempts, size, recipients, delay_notified)
            SELECT shard, id, name, (SELECT current FROM relay.ready_generation), name,
                now() + CASE WHEN is_due THEN -1 ELSE 1 END * interval '50 minutes' * random(),
                now() - interval '1 hour', 1, length($4::bytea), recipients, false FROM made WHERE is_ready
        ), waiting AS (
            INSERT INTO relay.deferred (shard, message_id, domain, destination, next_attempt_at, arrived_at, attempts, size,
                recipients, delay_notified, last_status, last_reason)
            SELECT shard, id, name, name, now() + interval '1 hour' * (1 + 3 * random()), now() - interval '1 hour', 3,
                length($4::bytea), recipients, false, '4.7.323', 'tlsa-invalid' FROM made WHERE NOT is_ready
        ), traced AS (
            INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt, reply)
            SELECT shard, id, 'RECEIVE', 'bench', name, 'bob@' || name, 0, 'from [192.0.2.1]' FROM made)
        INSERT INTO relay.queue_counter AS c (slot, state, messages, bytes)
        SELECT 0, CASE WHEN is_ready THEN 'ready' ELSE 'deferred' END, count(*), count(*) * length($4::bytea)
        FROM made GROUP BY 2
        ON CONFLICT (slot, state) DO UPDATE
        SET messages = c.messages + excluded.messages, bytes = c.bytes + excluded.bytes
        """
}
