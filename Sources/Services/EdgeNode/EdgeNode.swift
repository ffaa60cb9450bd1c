import DANE
import DeliveryQueue
public import Logging
import MailModel
import NIOPosix
import OperatingSystem
import PostgresDriver
import QueueStore
import SMTPProtocol
import SecureResolver
import ServiceLifecycle
import TLSEngine
public import Telemetry
import TransportSecurity
import UnixSignals

/// One edge node: the composition root of `relayd`.
///
/// Shutdown goes against the order of the services: clients first, then deliveries, then telemetry, so that what an
/// earlier service needs is there until it has ended.
public struct EdgeNode: Sendable {
    private let loaded: LoadedConfiguration
    private let metrics: RelayMetrics
    private let registry: MetricsRegistry
    private let logger: Logger
    private let reload: @Sendable () throws(ConfigurationError) -> LoadedConfiguration

    /// A node that will run by these settings. `metrics` are those that log lines are counted in, too; `reload` reads the
    /// settings anew, from wherever these came.
    public init(
        _ loaded: LoadedConfiguration, metrics: RelayMetrics, registry: MetricsRegistry, logger: Logger,
        reload: @escaping @Sendable () throws(ConfigurationError) -> LoadedConfiguration
    ) {
        self.loaded = loaded
        self.reload = reload
        self.metrics = metrics
        self.registry = registry
        var logger = logger
        logger[metadataKey: LogKey.node] = "\(loaded.configuration.node.name)"
        self.logger = logger
    }

    private var configuration: RelaydConfiguration { self.loaded.configuration }

    /// Runs until SIGTERM or SIGINT has been obeyed. Throws when the start fails: a `ConfigurationError` if the settings
    /// are to blame.
    public func run() async throws {
        MemoryAllocator.returnMemoryEarly(mapping: Int32(QueueLimits.inlineBody))
        try self.checkDescriptors()
        // Trapped from the start on: until then a SIGHUP would end the process.
        let reloads = await UnixSignalsSequence(trapping: .sighup)
        let health = HealthRegistry()
        let files = try await ConfiguredFiles(self.loaded, logger: self.logger)
        // Those that are configured were loaded, or the start has failed by now.
        health.set(.certificate, .passing)
        for warning in files.warnings { self.logger.warning("\(warning)") }
        self.logger.notice("starting", metadata: ["resolver": "\(files.resolver.startupDescription)"])
        let primaries = PrimaryHistory()
        let pool = PostgresPool(self.configuration.poolSettings(primaries), logger: self.logger)
        defer { pool.shutDown() }
        let leasePool = PostgresPool(self.configuration.leasePoolSettings(primaries), logger: self.logger)
        defer { leasePool.shutDown() }
        let store = try await self.openStore(pool, leasePool: leasePool)
        guard store.shardMap.count == self.configuration.queue.shards else {
            throw ConfigurationError(problems: [
                self.loaded.problem(
                    with: "queue.shards",
                    "the database has \(store.shardMap.count) shards, for good: set this to \(store.shardMap.count)")
            ])
        }
        let clock = try await DatabaseClock(store: store)
        let group = MultiThreadedEventLoopGroup.singleton
        let services = try self.services(
            Parts(
                health: health,
                resolverHealth: ResolverHealth(
                    resolver: files.resolver, health: health, metrics: self.metrics, logger: self.logger),
                files: files, pool: pool, store: store,
                monitor: StoreMonitor(store: store, health: health, logger: self.logger),
                network: NetworkMonitor(
                    ways: self.configuration.egress.all, nextHops: self.configuration.nextHopAddresses,
                    port: self.configuration.delivery.port, health: health, logger: self.logger),
                clock: clock, group: group, reloads: reloads))
        let serviceGroup = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: self.quiet))
        health.started()
        try await serviceGroup.run()
        self.logger.notice("stopped")
    }

    /// A node that runs out of descriptors under load would fail its deliveries and its database first.
    private func checkDescriptors() throws(ConfigurationError) {
        let (needed, allowed) = (self.configuration.descriptorsNeeded, FileDescriptorLimit.raise())
        guard needed > allowed else { return }
        throw ConfigurationError(problems: [
            self.loaded.problem(
                with: "smtp.max-connections",
                "with delivery.max-connections this takes \(needed) file descriptors, and the system allows \(allowed)")
        ])
    }

    /// What the services are made of.
    private struct Parts {
        let health: HealthRegistry
        let resolverHealth: ResolverHealth
        let files: ConfiguredFiles
        let pool: PostgresPool
        let store: QueueStore
        let monitor: StoreMonitor
        let network: NetworkMonitor
        let clock: DatabaseClock
        let group: MultiThreadedEventLoopGroup
        let reloads: UnixSignalsSequence
    }

    private func services(_ parts: Parts) throws -> [any Service] {
        let policy = try self.configuration.inboundPolicy(parts.files.recipientLists)
        if policy.postmaster == nil {
            self.logger.warning("no postmaster is configured: mail for <Postmaster> is refused")
        }
        for warning in self.loaded.warnings { self.logger.warning("\(warning)") }
        if let version = parts.store.newerSchema {
            self.logger.warning(
                "the schema of the database is newer than this program, which may work with it: upgrade this node",
                metadata: ["schema": .stringConvertible(version)])
        }
        let hints = QueueOwner.Hints()
        let writer = QueueWriter(
            pool: parts.pool, map: parts.store.shardMap, node: self.configuration.node.name.text
        ) { due in
            for entry in due { hints.continuation.yield(entry) }
        }
        let deliveries = try self.deliveryEnvironment(parts, policy)
        let replaceable = ReplaceableParts(parts.files, policy: policy)
        let gatekeepers = try self.gatekeepers(parts, replaceable, deliveries, writer)
        return [
            self.telemetryServer(parts.health),
            ConfigurationReload(
                running: self.loaded, load: self.reload, signals: parts.reloads, parts: replaceable,
                resolver: parts.files.resolver, health: parts.resolverHealth, flushes: deliveries.flushes,
                metrics: self.metrics, logger: self.logger),
            DatabaseMonitor(pool: parts.pool, metrics: self.metrics), parts.monitor, parts.network,
            SnapshotMonitor(
                store: parts.store, limit: self.configuration.database.snapshotWarning, metrics: self.metrics,
                logger: self.logger),
            ResolverMonitor(
                resolver: parts.files.resolver, health: parts.resolverHealth, metrics: self.metrics,
                logger: self.logger),
            QueueOwner(
                environment: deliveries, eventLoops: parts.group, health: parts.health, hints: hints,
                drainTime: self.configuration.drain.timeout, traceLimits: self.configuration.traceLimits),
        ] + gatekeepers.services + [self.inboundService(parts, replaceable, writer, gatekeepers)]
    }

    private func gatekeepers(
        _ parts: Parts, _ replaceable: ReplaceableParts, _ deliveries: DeliveryEnvironment, _ writer: QueueWriter
    ) throws -> Gatekeepers {
        let returning = ReturningDomains(
            self.configuration, resolver: parts.files.resolver, interfaces: try LocalAddresses.ofInterfaces(),
            logger: self.logger)
        return Gatekeepers(
            configuration: self.configuration, users: replaceable.users, returning: returning, deliveries: deliveries,
            eventLoops: parts.group, isWriterCongested: { writer.isCongested })
    }

    private func telemetryServer(_ health: HealthRegistry) -> TelemetryServer {
        let endpoint = self.configuration.telemetry.address
        return TelemetryServer(
            host: "\(endpoint.address)", port: Int(endpoint.port), registry: self.registry, health: health,
            logger: self.logger)
    }

    private func inboundService(
        _ parts: Parts, _ replaceable: ReplaceableParts, _ writer: QueueWriter, _ gatekeepers: Gatekeepers
    ) -> InboundService {
        let supervisor = TaskSupervisor(backlog: 65_536)
        let intake = MessageIntake(
            enqueue: { message async throws(QueueStoreError) in try await writer.enqueue(message) },
            bodyWriter: { writer.bodyWriter(for: $0) }, supervisor: supervisor, metrics: self.metrics,
            logger: self.logger,
            log: InboundLog(
                self.logger, metrics: self.metrics, hasAddresses: self.configuration.telemetry.logAddresses,
                networks: self.configuration.clientNetworks),
            monitor: parts.monitor)
        let limiter = ConnectionLimiter(limits: self.configuration.connectionLimits)
        let clients = ChannelRegistry()
        let listeners = self.configuration.smtp.listeners.map { listener in
            SMTPListener(
                settings: listener,
                environment: gatekeepers.environment(
                    InboundEnvironment(
                        session: self.configuration.session(of: listener, hasTLS: replaceable.certificates != nil),
                        timeouts: self.configuration.serverTimeouts, patience: self.configuration.patience,
                        policy: replaceable.policy, certificates: replaceable.certificates,
                        intake: intake, metrics: self.metrics, now: { .systemNow },
                        submission: self.configuration.submissionRules)),
                limiter: limiter, proxies: self.configuration.trustedProxies, clients: clients, group: parts.group,
                logger: self.logger)
        }
        return InboundService(
            listeners: listeners, limiter: limiter, clients: clients, intake: supervisor, health: parts.health,
            metrics: self.metrics, drainDelay: self.configuration.drain.delay,
            drainTime: self.configuration.drain.timeout)
    }

    private func deliveryEnvironment(_ parts: Parts, _ policy: InboundPolicy) throws -> DeliveryEnvironment {
        let sites = SiteTable(
            limits: self.configuration.siteLimits, connections: self.configuration.delivery.maxConnections,
            shortages: ConnectionShortages(
                ConnectionBudgets(
                    connections: self.configuration.delivery.maxConnections,
                    destinations: QueueOwner.destinationsAtOnce), metrics: self.metrics, logger: self.logger))
        let settings = self.configuration.deliverySettings
        let routes = RouteFinder(
            resolver: parts.files.resolver,
            policy: self.configuration.routePolicy(interfaces: try LocalAddresses.ofInterfaces()),
            watch: LookupWatch(
                succeeded: { [health = parts.resolverHealth] in await health.succeeded($0) },
                isOurFault: { [health = parts.resolverHealth] in await health.isAtFault($0, isBogus: $1) },
                whenClosed: { [health = parts.resolverHealth] in await health.close() }))
        return DeliveryEnvironment(
            settings: settings, policy: policy, rules: self.configuration.destinationRules, routes: routes,
            tls: parts.files.clientTLS, store: parts.store,
            ledger: AttemptLedger(store: parts.store, metrics: self.metrics, monitor: parts.monitor),
            leases: LeaseTable(), egress: self.configuration.egress, network: parts.network,
            sites: sites, links: SiteLinks(sites: sites),
            reports: self.configuration.reportLimiter,
            nullSenders: NullSenderShare(ofConnections: self.configuration.delivery.maxConnections),
            channels: ChannelRegistry(), metrics: self.metrics,
            logger: self.logger,
            clock: parts.clock, monitor: parts.monitor,
            flushes: DNSFlushWatch(store: parts.store, resolver: parts.files.resolver, logger: self.logger) { domain in
                let nextHop = policy.nextHop(for: domain, port: settings.port)
                return nextHop.address == nil ? routes.questions(to: nextHop) : nil
            })
    }

    /// Waits for the database, so that a node may be started before it.
    private func openStore(_ pool: PostgresPool, leasePool: PostgresPool) async throws -> QueueStore {
        while true {
            do throws(QueueStoreError) {
                return try await QueueStore(
                    pool: pool, leasePool: leasePool, node: self.configuration.node.name.text,
                    terms: self.configuration.leaseTerms)
            } catch {
                if let problem = self.problem(with: error) { throw ConfigurationError(problems: [problem]) }
                guard let cause = error.cause, Self.isOutOfReach(cause) else { throw error }
                self.logger.error("waiting for the database", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// What is wrong with the database and does not pass by itself.
    private func problem(with error: QueueStoreError) -> ConfigurationProblem? {
        guard error.code == .outdatedSchema || error.code == .newerSchema || error.cause?.code == .unsuitableServer
        else { return nil }
        return self.loaded.problem(with: "database.connection", error.message)
    }

    private static func isOutOfReach(_ error: PostgresError) -> Bool {
        switch error.code {
        case .cannotConnect, .connectionLost, .ambiguousCommit, .acquireTimeout, .readOnlyServer, .staleServer: true
        default: false
        }
    }

    /// The service group tells each step of a shutdown, which is of interest to nobody else.
    private var quiet: Logger {
        var logger = self.logger
        logger.logLevel = max(logger.logLevel, .error)
        return logger
    }
}
