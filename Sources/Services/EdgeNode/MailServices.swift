import Admission
import DatabaseHealth
import Delivery
import Inbound
import Logging
import MailModel
import NIOCore
import NIOPosix
import NodeState
import OperatingSystem
import PostgresDriver
import QueueStore
import RelayConfiguration
import RouteLookup
import Routing
import SMTPProtocol
import SecureResolver
import ServiceLifecycle
import ServiceSupport
import ShardLeases
import Telemetry
import UnixSignals

/// What of a node is there before its database answers.
struct NodeFoundations: Sendable {
    let health: HealthRegistry
    let resolverHealth: ResolverHealth
    /// What the node serves by; a reload replaces it, and so does the controller.
    let inForce: StateInForce
    let resolver: SecureResolver
    let certificates: CertificateMonitor
    /// What follows the controller, if the node has one.
    let control: ControlledState?
    let pool: PostgresPool
    let leasePool: PostgresPool
    let reloads: UnixSignalsSequence
}

/// All of a node that takes and sends mail: waits for the database, and is then the composition of the rest.
struct MailServices: Service {
    let loaded: LoadedConfiguration
    let foundations: NodeFoundations
    /// Reads the settings anew.
    let load: @Sendable () throws(ConfigurationError) -> LoadedConfiguration
    let metrics: RelayMetrics
    let time: any NodeClock
    let random: RandomSource
    let logger: Logger

    var configuration: RelaydConfiguration { self.loaded.configuration }

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await self.serve()
        } onGracefulShutdown: {
            self.logger.notice("draining")
        }
    }

    private func serve() async throws {
        if let control = self.foundations.control, await !control.waitForState() { return self.drained() }
        let wait = DatabaseWait(
            loaded: self.loaded, pool: self.foundations.pool, leasePool: self.foundations.leasePool,
            health: self.foundations.health, time: self.time, logger: self.logger)
        guard let (store, clock) = try await wait.run() else { return self.drained() }
        let state = self.foundations.inForce.state
        let services = try await self.services(
            Parts(
                state: state, store: store,
                monitor: StoreMonitor(
                    checkStorage: { pieces throws(QueueStoreError) in try await store.checkStorage(pieces: pieces) },
                    health: self.foundations.health, time: self.time, logger: self.logger),
                network: NetworkMonitor(
                    self.configuration.egress, isNextHop: { state.current.policy.hasNextHop(at: $0) },
                    port: self.configuration.delivery.port, health: self.foundations.health, time: self.time,
                    logger: self.logger),
                clock: clock))
        // Signals are the outer group's, which hands the shutdown on.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0) }, logger: self.logger.onlyCritical))
        try await group.run()
    }

    /// A shutdown came before mail was taken.
    private func drained() {
        self.foundations.health.set(.draining, .failing("draining"))
        self.metrics.draining.set(true)
    }

    /// What the services are made of.
    struct Parts {
        let state: Replaceable<NodeState>
        let store: QueueStore
        let monitor: StoreMonitor
        let network: NetworkMonitor
        let clock: DatabaseClock
        let group = MultiThreadedEventLoopGroup.singleton
    }

    private func services(_ parts: Parts) async throws -> [any Service] {
        if parts.state.current.policy.postmaster == nil {
            self.logger.warning("no postmaster is configured: mail for <Postmaster> is refused")
        }
        if let version = parts.store.newerSchema {
            self.logger.warning(
                "the schema of the database is newer than this program, which may work with it: upgrade this node",
                metadata: ["schema": .stringConvertible(version)])
        }
        let hints = DueHints()
        let writer = QueueWriter(
            pool: self.foundations.pool, map: parts.store.shardMap, node: self.configuration.node.name.text,
            time: self.time, waited: { [metrics] in metrics.database.queueCommitWait.observe(.enqueue, $0) }
        ) { hints.add($0) }
        let deliveries = try self.deliveryParts(parts)
        let rules = StandingRulesWatch(
            deliveries.gate.standing, store: parts.store, health: self.foundations.health, clock: parts.clock,
            metrics: self.metrics.delivery, time: self.time, logger: self.logger)
        // Before anything is taken or sent.
        await rules.look()
        let authenticator = Authenticator(
            users: { parts.state.current.users }, limits: self.configuration.authenticatorLimits,
            metrics: self.metrics.inbound, time: self.time, logger: self.logger)
        let sites = deliveries.hosts.sites
        self.foundations.inForce.observe { old, _ in
            sites.replace(parts.state.current.sites)
            if old.users == nil { authenticator.announce() }
        }
        let callAhead = self.callAhead(parts, deliveries)
        // The last are the first to be shut down: rules are followed until clients and deliveries have ended.
        return [
            rules,
            ConfigurationReload(
                running: self.loaded, load: self.load, signals: self.foundations.reloads,
                inForce: self.foundations.inForce, resolver: self.foundations.resolver,
                health: self.foundations.resolverHealth, flushes: deliveries.flushes, metrics: self.metrics,
                time: self.time, logger: self.logger),
            parts.monitor, parts.network,
            SnapshotMonitor(
                store: parts.store, limit: self.configuration.database.snapshotWarning, metrics: self.metrics.database,
                time: self.time, logger: self.logger),
            self.deliveryService(parts, deliveries, hints), callAhead,
        ] + (try await self.inbound(parts, writer, authenticator, callAhead, deliveries.gate.standing))
    }
}
