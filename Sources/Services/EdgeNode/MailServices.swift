import Admission
import DatabaseHealth
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
    /// What the node serves by; a reload replaces it.
    let state: Replaceable<NodeState>
    let resolver: SecureResolver
    let certificates: CertificateMonitor
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

    private var configuration: RelaydConfiguration { self.loaded.configuration }

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await self.serve()
        } onGracefulShutdown: {
            self.logger.notice("draining")
        }
    }

    private func serve() async throws {
        let wait = DatabaseWait(
            loaded: self.loaded, pool: self.foundations.pool, leasePool: self.foundations.leasePool,
            health: self.foundations.health, time: self.time, logger: self.logger)
        guard let (store, clock) = try await wait.run() else {
            self.foundations.health.set(.draining, .failing("draining"))
            self.metrics.draining.set(true)
            return
        }
        let state = self.foundations.state
        let services = try await self.services(
            Parts(
                state: state, store: store,
                monitor: StoreMonitor(
                    checkStorage: { pieces throws(QueueStoreError) in try await store.checkStorage(pieces: pieces) },
                    health: self.foundations.health, time: self.time, logger: self.logger),
                network: NetworkMonitor(
                    routes: self.configuration.egress.all, isNextHop: { state.current.policy.hasNextHop(at: $0) },
                    port: self.configuration.delivery.port, health: self.foundations.health, time: self.time,
                    logger: self.logger),
                clock: clock))
        // Signals are the outer group's, which hands the shutdown on.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0) }, logger: self.logger.onlyCritical))
        try await group.run()
    }

    /// What the services are made of.
    private struct Parts {
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
            waited: { [metrics] in metrics.database.queueCommitWait.observe(.enqueue, $0) }
        ) { hints.add($0) }
        let deliveries = try self.deliveryEnvironment(parts)
        let rules = StandingRulesWatch(
            environment: deliveries, store: parts.store, health: self.foundations.health)
        // Before anything is taken or sent.
        await rules.look()
        let returning = ReturningDomains(
            ReturningMail(
                self.configuration, resolver: self.foundations.resolver, interfaces: try LocalAddresses.ofInterfaces(),
                time: self.time, random: self.random),
            state: parts.state, time: self.time, logger: self.logger)
        let admission = AdmissionServices(
            configuration: self.configuration, state: parts.state, returning: returning,
            callAhead: CallAheadService(
                self.configuration.callAheadLimits, environment: deliveries, eventLoops: parts.group),
            standing: deliveries.standing, clock: parts.clock, store: parts.store, monitor: parts.monitor,
            metrics: self.metrics.inbound, time: self.time, logger: self.logger,
            isWriterCongested: { writer.isCongested })
        // The last are the first to be shut down: rules are followed until clients and deliveries have ended.
        return [
            rules,
            ConfigurationReload(
                running: self.loaded, load: self.load, signals: self.foundations.reloads, state: parts.state,
                sites: deliveries.sites, resolver: self.foundations.resolver,
                health: self.foundations.resolverHealth, flushes: deliveries.flushes,
                certificates: self.foundations.certificates, authenticator: admission.authenticator,
                metrics: self.metrics, logger: self.logger),
            parts.monitor, parts.network,
            SnapshotMonitor(
                store: parts.store, limit: self.configuration.database.snapshotWarning, metrics: self.metrics.database,
                time: self.time, logger: self.logger),
            self.deliveryService(parts, deliveries, hints),
        ] + admission.services + [try await self.inboundService(parts, writer, admission)]
    }

    private func deliveryService(
        _ parts: Parts, _ environment: DeliveryEnvironment, _ hints: DueHints
    ) -> DeliveryService {
        let maintenance = QueueMaintenance(
            environment: environment, store: parts.store, traceLimits: self.configuration.traceLimits)
        let publisher = ActivityPublisher(environment: environment, store: parts.store)
        return DeliveryService(
            environment: environment, store: parts.store, eventLoops: Array(parts.group.makeIterator()),
            health: self.foundations.health, hints: hints, drainTime: self.configuration.drain.timeout,
            leaseMetrics: self.metrics.leases, chores: [{ await maintenance.run() }, { await publisher.run() }])
    }

    private func inboundService(
        _ parts: Parts, _ writer: QueueWriter, _ admission: AdmissionServices
    ) async throws -> InboundService {
        let supervisor = TaskSupervisor(backlog: 65_536)
        let intake = MessageIntake(
            enqueue: { message async throws(QueueStoreError) in try await writer.enqueue(message) },
            bodyWriter: { writer.bodyWriter(for: $0) }, supervisor: supervisor, metrics: self.metrics.inbound,
            time: self.time, logger: self.logger,
            log: InboundLog(
                self.logger, metrics: self.metrics.inbound, hasAddresses: self.configuration.telemetry.logAddresses,
                networks: self.configuration.clientNetworks),
            monitor: parts.monitor)
        let limiter = ConnectionLimiter(limits: self.configuration.connectionLimits)
        let clients = ChannelRegistry(time: self.time)
        let listeners = self.configuration.smtp.listeners.map { listener in
            SMTPListener(
                settings: listener, isIPv6Only: self.configuration.smtp.leavesIPv4ToAnother(listener),
                environment: admission.environment(
                    InboundEnvironment(
                        session: self.configuration.session(of: listener),
                        timeouts: self.configuration.serverTimeouts, patience: self.configuration.patience,
                        state: parts.state, intake: intake, metrics: self.metrics.inbound, time: self.time,
                        random: self.random, submission: self.configuration.submissionRules,
                        stagingBudget: admission.stagingBudget)),
                limiter: limiter, proxies: self.configuration.trustedProxies, clients: clients, group: parts.group,
                logger: self.logger)
        }
        return InboundService(
            listeners: try await self.bound(listeners), limiter: limiter, clients: clients, intake: supervisor,
            health: self.foundations.health,
            draining: self.metrics.draining, time: self.time, drainDelay: self.configuration.drain.delay,
            drainTime: self.configuration.drain.timeout)
    }

    /// Binds all addresses, before anything is taken over from another run of this node.
    private func bound(_ listeners: [SMTPListener]) async throws -> [any Channel] {
        var channels: [any Channel] = []
        for (index, listener) in listeners.enumerated() {
            do {
                channels.append(try await listener.bind())
            } catch let error as IOError {
                throw ListenError.configurationOrTransient(
                    errno: error.errnoCode, at: listener.settings.address, key: "smtp.listeners",
                    element: "[\(index)].address", in: self.loaded)
            }
        }
        return channels
    }

    private func deliveryEnvironment(_ parts: Parts) throws -> DeliveryEnvironment {
        let sites = SiteTable(
            limits: parts.state.current.sites, connections: self.configuration.delivery.maxConnections,
            time: self.time,
            shortages: ConnectionShortages(
                ConnectionBudgets(
                    connections: self.configuration.delivery.maxConnections,
                    destinations: DeliveryService.destinationsAtOnce), metrics: self.metrics.delivery,
                logger: self.logger))
        let (settings, state) = (self.configuration.deliverySettings, parts.state)
        let routes = RouteFinder(
            resolver: self.foundations.resolver,
            policy: self.configuration.routePolicy(interfaces: try LocalAddresses.ofInterfaces()),
            watch: LookupWatch(
                succeeded: { [health = self.foundations.resolverHealth] in health.succeeded($0) },
                isOurFault: { [health = self.foundations.resolverHealth] in await health.isAtFault($0, isBogus: $1) },
                whenClosed: { [health = self.foundations.resolverHealth] in await health.close() }),
            time: self.time, random: self.random)
        return DeliveryEnvironment(
            settings: settings, state: state, routes: routes,
            explainer: RefusalExplainer(time: self.time), store: parts.store,
            recorder: AttemptRecorder(
                store: parts.store, metrics: self.metrics.delivery, time: self.time, monitor: parts.monitor),
            leases: LeaseTable(time: self.time), egress: self.configuration.egress, network: parts.network,
            sites: sites, links: ConnectionPool(sites: sites),
            reports: self.configuration.reportLimiter,
            nullSenders: NullSenderShare(ofConnections: self.configuration.delivery.maxConnections),
            channels: ChannelRegistry(time: self.time), metrics: self.metrics.delivery,
            logger: self.logger,
            clock: parts.clock, time: self.time, random: self.random, monitor: parts.monitor,
            flushes: DNSFlushWatch(
                store: parts.store, resolver: self.foundations.resolver, time: self.time,
                logger: self.logger
            ) {
                domain in
                let nextHop = state.current.policy.nextHop(for: domain, port: settings.port)
                return nextHop.address == nil ? routes.questions(to: nextHop) : nil
            })
    }
}
