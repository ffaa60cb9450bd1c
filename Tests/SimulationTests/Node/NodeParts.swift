import Admission
import DatabaseHealth
import DeliveryQueue
import Logging
import MailModel
import NodeState
import PostgresDriver
import Routing
import SMTPProtocol
import ServiceSupport
import ShardLeases
import TLSEngine
import Telemetry

@testable import Delivery
@testable import QueueStore

/// What a node is made of: the product's parts, with the world's clock, chance, database and hosts.
struct NodeParts: Sendable {
    let deliveries: DeliveryParts
    let monitor: StoreMonitor
    let service: DeliveryService

    /// The most connections of one destination.
    private static let connections = 3

    private static let name: DomainName = {
        guard let name = DomainName("node.test") else { preconditionFailure("it is a name") }
        return name
    }()
    private static let quiet = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    // Those of all nodes: nobody reads them.
    private static let registry = MetricsRegistry()
    private static let database = DatabaseMetrics(in: registry)
    private static let metrics = DeliveryMetrics(
        in: registry, queueOperationDuration: database.queueOperationDuration,
        queueCommitWait: database.queueCommitWait)
    private static let leaseMetrics = LeaseMetrics(
        in: registry, queueOperationDuration: database.queueOperationDuration)
    private static let tls: TLSClientContext = {
        guard let context = try? TLSClientContext() else { preconditionFailure("OpenSSL has its defaults") }
        return context
    }()

    init(of node: SimulatedNode, clock: DatabaseClock, leases: SimulatedLeaseStore, hints: DueHints) {
        let health = HealthRegistry()
        health.set(.resolver, .passing)
        let monitor = StoreMonitor(
            checkStorage: { (_: Int) async throws(QueueStoreError) -> Void in
                do throws(PostgresError) {
                    _ = try await node.link.send(.checkStorage).get()
                } catch {
                    throw QueueStoreError(error)
                }
            }, health: health, time: node.clock, logger: Self.quiet)
        self.deliveries = Self.deliveries(of: node, clock, monitor, health)
        self.deliveries.gate.standing.replace(with: [])
        self.monitor = monitor
        self.service = DeliveryService(
            parts: self.deliveries, store: leases, eventLoops: [node.eventLoop], health: health, hints: hints,
            drainTime: .seconds(20), leaseMetrics: Self.leaseMetrics,
            blocked: BlockedDomains(testInterval: node.scenario.testInterval))
    }

    private static func deliveries(
        of node: SimulatedNode, _ clock: DatabaseClock, _ monitor: StoreMonitor, _ health: HealthRegistry
    ) -> DeliveryParts {
        let (time, store) = (node.clock, SimulatedStore(node))
        let sites = SiteTable(limits: SiteLimits(SiteLimit(connections: 20)), connections: 1000, time: time)
        let hosts = SimulatedHosts(node)
        let egress = EgressRoutes([], fallback: Self.name, ipv4First: true)
        let world = SimulatedChance(node.world)
        return DeliveryParts(
            Self.settings(node.scenario),
            hosts: HostAccess(
                state: Replaceable(Self.state(node)), port: 25, routes: hosts, dialer: hosts, egress: egress,
                network: NetworkMonitor(
                    routes: egress.all, isNextHop: { _ in true }, port: 25, health: health, time: time,
                    logger: Self.quiet, probe: { _, _, _ in nil }),
                sites: sites, links: ConnectionPool(sites: sites), chunkingRefusals: ChunkingRefusals()),
            gate: DeliveryGate(leases: LeaseTable(time: time), standing: StandingRules(), monitor: monitor),
            store: store,
            recorder: AttemptRecorder(store: store, metrics: Self.metrics, time: time, monitor: monitor),
            reports: ReportLimiter(ReportBudget.Limits(perSenderDomain: 1000, perClient: 1000)),
            nullSenders: NullSenderShare(ofConnections: 1000), metrics: Self.metrics, logger: Self.quiet,
            clock: clock, time: time, random: RandomSource { world.bits() })
    }

    private static func settings(_ scenario: Scenario) -> DeliverySettings {
        DeliverySettings(
            node: Self.name, port: 25, convertsEightBit: false, connectionsPerDestination: Self.connections,
            messagesPerConnection: 5,
            retries: scenario.retries, reportsFrom: nil, returnedBytes: 1024)
    }

    private static func state(_ node: SimulatedNode) -> NodeState {
        let domains = node.surroundings.peers.values.map {
            ($0.domain, AcceptedDomain(nextHop: .address($0.address, port: 25)))
        }
        return NodeState(
            policy: InboundPolicy(domains: Dictionary(uniqueKeysWithValues: domains), relayNetworks: []),
            destinations: DestinationRules(), sites: SiteLimits(SiteLimit(connections: 20)), tls: Self.tls)
    }
}

/// Chance, drawn on the thread of the test as all that happens.
private struct SimulatedChance: @unchecked Sendable {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func bits() -> UInt64 { self.world.bits() }
}
