import Admission
import ClusterModel
import DeliveryQueue
import Foundation
import LabDatabase
import LabPeers
import LabSupport
import Logging
import MailModel
import NIOCore
import NIOPosix
import NodeState
import OperatingSystem
import PostgresDriver
import QueueStore
import RouteLookup
import Routing
import SecureResolver
import ServiceSupport
import TLSEngine
import Telemetry
import TestLiterals
import Testing

@testable import Delivery
@testable import ShardLeases

/// A queue in a database of its own, owned by this test, and all that deliveries from it need. Where a domain has a next hop, its
/// mail goes there without a look-up; the resolver is shut down.
struct DeliveryFixture {
    let parts: DeliveryParts
    let metrics: DeliveryMetrics
    let store: QueueStore
    let health = HealthRegistry()
    /// Which limits keep deliveries waiting.
    let shortages = RecordedLog()
    private let writer: QueueWriter
    private let pool: PostgresPool
    private let leases: [Lease]

    /// Runs a test with it, and removes the database afterwards.
    static func run(
        _ hops: [(DomainName, ScriptedPeer)] = [], _ change: (inout DeliveryFixtureSettings) -> Void = { _ in },
        retry: RetryPolicy? = nil, idleTime: Duration = ConnectionPool.connectionIdleTime,
        knowsRules: Bool = true, _ body: (DeliveryFixture) async throws -> Void
    ) async throws {
        var settings = DeliveryFixtureSettings()
        if let retry { settings.retries = retry }
        change(&settings)
        try await PrivateDatabase.with("delivery") { [settings] database in
            let fixture = try await Self(database, hops, settings, idleTime)
            if knowsRules { fixture.parts.gate.standing.replace(with: []) }
            // As in a node; it ends with this function.
            async let _: Void = fixture.parts.hosts.sites.watch()
            defer {
                fixture.parts.hosts.links.close()
                fixture.pool.shutDown()
            }
            try await body(fixture)
        }
    }

    private init(
        _ database: PrivateDatabase, _ hops: [(DomainName, ScriptedPeer)], _ settings: DeliveryFixtureSettings,
        _ idleTime: Duration
    ) async throws {
        try await database.makeQueue()
        self.pool = database.pool(QueueStore.poolSettings, size: 3)
        let store = try await QueueStore(
            pool: self.pool, node: "relay.test", terms: LeaseTerms(timeToLive: .seconds(600)))
        self.store = store
        try await store.registerNode()
        self.leases = try await store.acquireLeases(store.shardMap.shards)
        self.writer = QueueWriter(pool: self.pool, map: store.shardMap, node: "relay.test")

        var resolverSettings = SecureResolverSettings()
        resolverSettings.executable = try BuiltProgram.named("relayd").path
        let resolver = try await SecureResolver(
            settings: resolverSettings, logger: .quiet, now: { .systemNow })
        await resolver.shutdown()
        let registry = MetricsRegistry()
        let metrics = DeliveryMetrics(testing: registry)
        self.metrics = metrics
        let sites = SiteTable(
            limits: settings.sites, connections: settings.connections, time: .system,
            shortages: ConnectionShortages(
                ConnectionBudgets(connections: settings.connections, destinations: 10_000),
                metrics: metrics, logger: self.shortages.logger))
        let table = LeaseTable(time: .system)
        table.replace(self.leases)
        let domains = hops.map { name, peer in
            (name, AcceptedDomain(nextHop: .address(IPAddress(peer.address) ?? .loopback, port: peer.port)))
        }
        let state = Replaceable(
            NodeState(
                policy: InboundPolicy(domains: Dictionary(domains) { first, _ in first }, relayNetworks: []),
                destinations: DestinationRules(), sites: settings.sites, tls: try TLSClientContext()))
        let egress = EgressRoutes(settings.sources, fallback: settings.delivery.node, ipv4First: false)
        let network = NetworkMonitor(
            egress, isNextHop: { state.current.policy.hasNextHop(at: $0) }, port: 25, health: self.health,
            time: .system, logger: .quiet)
        let chunkingRefusals = ChunkingRefusals()
        self.parts = DeliveryParts(
            settings.delivery,
            hosts: HostAccess(
                state: state, port: settings.delivery.port,
                routes: RouteFinder(
                    resolver: resolver, policy: RoutePolicy(), watch: .none, time: .system, random: .system),
                dialer: NetworkDialer(
                    settings.timeouts, network: network, chunkingRefusals: chunkingRefusals, metrics: metrics,
                    time: .system),
                egress: egress, network: network, sites: sites,
                links: ConnectionPool(sites: sites, idleTime: idleTime), chunkingRefusals: chunkingRefusals),
            gate: DeliveryGate(leases: table, standing: StandingRules(), monitor: nil), store: store,
            recorder: AttemptRecorder(store: store, metrics: metrics, time: .system),
            reports: ReportLimiter(ReportBudget.Limits(perSenderDomain: 300, perClient: 100)),
            nullSenders: NullSenderShare(ofConnections: settings.connections), metrics: metrics, logger: .quiet,
            clock: try await DatabaseClock(store: store, time: .system), time: .system, random: .system)
    }

    /// What reads the rules that operators make in this queue.
    func rulesWatch(_ logger: Logger? = nil) -> StandingRulesWatch {
        StandingRulesWatch(
            self.parts.gate.standing, store: self.store, health: self.health, clock: self.parts.clock,
            metrics: self.metrics, time: .system, logger: logger ?? self.parts.logger)
    }

    /// Stores one message; its id.
    @discardableResult
    func enqueue(
        to domain: DomainName, from sender: String = "alice@alpha.test", recipients: [QueueRecipient]? = nil
    ) async throws -> MessageID {
        let id = MessageID(at: Timestamp(seconds: 1_700_000_000), random: .random(in: .min ... .max))
        // Of a client that may relay, so that all reports on it are sent.
        var attributes = MessageAttributes()
        attributes.mayRelay = true
        let body = "Message-ID: <\(id)@client.test>\r\nSubject: x\r\n\r\nHello\r\n"
        try await self.enqueue(
            AcceptedMessage(
                id: id, sender: sender, attributes: attributes,
                entries: [
                    AcceptedEntry(domain: domain, recipients: recipients ?? [QueueRecipient(address: "bob@\(domain)")])
                ],
                body: .inline(Array(body.utf8))))
        return id
    }

    /// Stores a message.
    func enqueue(_ message: AcceptedMessage) async throws { try await self.writer.enqueue(message) }

    /// The deliveries to one domain, which have not begun.
    func destination(
        _ domain: DomainName, on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    )
        throws -> Destination
    {
        let shard = self.store.shardMap.shard(for: domain, message: MessageID(high: 1, low: 1))
        let lease = try #require(self.leases.first { $0.shard == shard })
        return Destination(self.parts.destinations, term: lease.term, domain: domain, eventLoop: eventLoop)
    }

    /// The shard of a domain's mail, in our term.
    func shard(
        of domain: DomainName, _ supervisor: TaskSupervisor, blocked: BlockedDomains = BlockedDomains()
    ) throws -> QueueShard {
        let shard = self.store.shardMap.shard(for: domain, message: MessageID(high: 1, low: 1))
        let lease = try #require(self.leases.first { $0.shard == shard })
        return QueueShard(
            self.parts.destinations, term: lease.term, supervisor: supervisor,
            eventLoops: [MultiThreadedEventLoopGroup.singleton.next()], blocked: blocked, clock: self.parts.clock,
            time: .system)
    }

    /// What asks about recipients, which has not begun.
    ///
    /// - Parameters:
    ///   - hosts: how it reaches them, if not as deliveries do.
    ///   - logger: keeps nothing unless given.
    func callAhead(
        _ limits: CallAheadService.Limits, hosts: HostAccess? = nil, logger: Logger = .quiet
    ) -> CallAheadService {
        CallAheadService(
            limits, hosts: hosts ?? self.parts.hosts, standing: self.parts.gate.standing,
            eventLoops: MultiThreadedEventLoopGroup.singleton, metrics: self.metrics, logger: logger,
            clock: self.parts.clock, time: .system)
    }

    /// Waits until a delivery waits for a connection to this host; `false` when time is up.
    func waitUntilAwaited(_ peer: ScriptedPeer) async throws -> Bool {
        let address = try #require(IPAddress(peer.address))
        return await eventually(within: .seconds(60)) { self.parts.hosts.sites.isAwaited(.address(address)) }
    }

    /// How many entries wait, for one domain or all.
    func waiting(for domain: DomainName? = nil) async throws -> Int {
        try await self.listing().filter { domain == nil || $0.key.domain == domain }.count
    }

    /// The entries that wait, up to a thousand.
    func listing() async throws -> [QueueListing] {
        try await self.operators().page(of: QueueSelection()).entries
    }

    /// The queue as an operator has it.
    func operators() async throws -> QueueAdministration { try await QueueAdministration(pool: self.pool) }

    /// Changes the database behind everybody's back.
    func script(_ sql: String) async throws { try await self.pool.script(sql) }

    /// Makes a rule, for a minute unless said, and has the node see it.
    @discardableResult
    func make(
        _ action: QueueRule.Action, _ domain: DomainName, _ watch: StandingRulesWatch,
        until end: QueueRuleEnd = .after(.seconds(60))
    ) async throws -> QueueRule {
        let rule = try await self.operators().make(
            action, .domains(DomainPattern(domain)), until: end, by: "olga@ops", because: "disk full")
        #expect(await watch.look())
        return rule
    }

    /// Makes the messages for a domain that wait older than they are.
    func age(_ domain: DomainName, by age: Duration) async throws {
        let microseconds = age.components.seconds * 1_000_000
        for table in ["ready", "deferred"] {
            try await self.pool.script(
                """
                UPDATE relay.\(table) SET arrived_at = arrived_at - \(microseconds) * interval '1 microsecond'
                WHERE destination = '\(domain)'
                """)
        }
    }

    /// Whatever waits for a domain is due now.
    func makeDue(_ domain: DomainName) async throws {
        try await self.pool.script("UPDATE relay.ready SET next_attempt_at = now() WHERE destination = '\(domain)'")
    }

    /// All leases are held, and too short for a final dot or long enough for it, as this node sees it.
    func leasesPermitFinalDots(_ isPermitted: Bool) {
        let terms = LeaseTerms(timeToLive: .seconds(600), finalDotMargin: .seconds(isPermitted ? 2 : 1200))
        self.parts.gate.leases.replace(
            self.leases.map { Lease(shard: $0.shard, epoch: $0.epoch, sentAt: .now, terms: terms) })
    }

    /// Puts an attempt of another owner on record, which gets no outcome.
    func interruptAttempts(for domain: DomainName) async throws {
        try await self.pool.script(
            """
            INSERT INTO relay.open_attempt (shard, message_id, domain, node, epoch, attempt)
            SELECT shard, message_id, domain, 'other.test', 0, attempts + 1 FROM relay.ready
            WHERE destination = '\(domain)'
            """)
    }

    /// What the poll does each second: works off what is due for these domains, and brings deferred entries back.
    func poll(_ domains: Set<DomainName>) async throws {
        for lease in self.leases { try await self.store.promoteDeferred(lease.term) }
        let due = try await self.store.dueDestinations(self.leases.map(\.term)).due
        try await withThrowingTaskGroup { group in
            for entry in due where domains.contains(entry.destination) {
                let destination = try self.destination(entry.destination)
                group.addTask { await destination.run() }
            }
            try await group.waitForAll()
        }
    }

    /// Polls until a condition holds; `false` when time is up.
    func poll(
        _ domains: Set<DomainName>, within limit: Duration = .seconds(60), until condition: () async throws -> Bool
    ) async throws -> Bool {
        try await eventually(within: limit) {
            if try await condition() { return true }
            try await self.poll(domains)
            return false
        }
    }

    /// The row of a domain in backoff.
    func backoff(of domain: DomainName) async throws -> DestinationBackoff? {
        let shard = self.store.shardMap.shard(for: domain, message: MessageID(high: 1, low: 1))
        let lease = try #require(self.leases.first { $0.shard == shard })
        return try await self.store.claim(lease.term, destination: domain, maximumCount: 1).backoff
    }
}

extension ScriptedPeer {
    /// The most connections at the same time so far.
    var mostConnections: Int {
        var (open, most) = (0, 0)
        for event in self.events {
            switch event {
            case .opened: open += 1
            case .closed: open -= 1
            case .command, .handshake: ()
            }
            most = max(most, open)
        }
        return most
    }
}
