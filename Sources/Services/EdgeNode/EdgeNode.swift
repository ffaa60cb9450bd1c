import DaemonSupport
import DatabaseHealth
import Delivery
import Foundation
import Inbound
public import Logging
public import MailModel
import NodeState
import OperatingSystem
import PostgresDriver
import QueueStore
public import RelayConfiguration
import ServiceLifecycle
import ServiceSupport
public import Telemetry
import UnixSignals

/// One edge node: the composition root of `relayd`.
///
/// Telemetry comes first, and answers while the node waits for its database. Shutdown goes against the order of the
/// services: clients first, then deliveries, then telemetry. So what an earlier service needs is there until it has
/// ended.
public struct EdgeNode: Sendable {
    private let loaded: LoadedConfiguration
    private let version: String
    private let versionNumber: String
    private let metrics: RelayMetrics
    private let registry: MetricsRegistry
    private let time: any NodeClock
    private let random: RandomSource
    private let logger: Logger
    private let reload: @Sendable () throws(ConfigurationError) -> LoadedConfiguration

    /// A node that will run by these settings. `version` is for the log and its number for the controller; `metrics` are those that log lines are counted in, too;
    /// `reload` reads the settings anew, from wherever these came.
    public init(
        _ loaded: LoadedConfiguration, version: String, number: String, metrics: RelayMetrics,
        registry: MetricsRegistry, logger: Logger, time: any NodeClock, random: RandomSource,
        reload: @escaping @Sendable () throws(ConfigurationError) -> LoadedConfiguration
    ) {
        self.loaded = loaded
        self.version = version
        self.versionNumber = number
        self.reload = reload
        self.metrics = metrics
        self.registry = registry
        self.time = time
        self.random = random
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
        self.announce()
        let files = try await ConfiguredFiles(self.loaded, time: self.time, logger: self.logger)
        self.warn(files)
        let primaries = PrimaryHistory()
        var settings = self.configuration.poolSettings(primaries)
        settings.waited = { [metrics] in metrics.database.pgPoolWait.observe($0) }
        let pool = PostgresPool(settings, logger: self.logger)
        defer { pool.shutDown() }
        let leasePool = PostgresPool(self.configuration.leasePoolSettings(primaries), logger: self.logger)
        defer { leasePool.shutDown() }
        let foundations = try self.foundations(files, pool, leasePool, reloads)
        let services = self.services(foundations)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: self.quiet))
        // The process is up, whatever the database does: an orchestrator that started it anew would gain nothing.
        foundations.health.started()
        try await group.run()
        self.logger.notice("stopped")
    }

    private func announce() {
        self.logger.notice(
            "starting",
            metadata: [
                "version": "\(self.version)", "pid": .stringConvertible(ProcessInfo.processInfo.processIdentifier),
                "configuration": "\(self.loaded.file ?? "no file")",
            ])
    }

    private func warn(_ files: ConfiguredFiles) {
        for warning in self.loaded.warnings(at: self.time.date) + files.warnings { self.logger.warning("\(warning)") }
    }

    private func foundations(
        _ files: ConfiguredFiles, _ pool: PostgresPool, _ leasePool: PostgresPool, _ reloads: UnixSignalsSequence
    ) throws -> NodeFoundations {
        let health = HealthRegistry(without: self.configuration.hasController ? [] : [.control])
        let inForce = try StateInForce(
            try files.content(by: self.configuration), files.local(by: self.configuration))
        let state = inForce.state
        let certificates = CertificateMonitor(
            state, health: health, metrics: self.metrics.inbound, time: self.time, logger: self.logger)
        inForce.observe { _, _ in certificates.look() }
        return NodeFoundations(
            health: health,
            resolverHealth: ResolverHealth(
                resolver: files.resolver, health: health, metrics: self.metrics.dns, time: self.time,
                logger: self.logger),
            inForce: inForce, resolver: files.resolver, certificates: certificates,
            control: try self.controlled(inForce, health), pool: pool, leasePool: leasePool, reloads: reloads)
    }

    /// What follows the controller, if there is one.
    private func controlled(
        _ inForce: StateInForce, _ health: HealthRegistry
    ) throws(ConfigurationError) -> ControlledState? {
        guard self.configuration.hasController, let metrics = self.metrics.control else { return nil }
        return try ControlledState(
            self.loaded, inForce: inForce, health: health, version: self.versionNumber, metrics: metrics,
            time: self.time,
            random: self.random, logger: self.logger)
    }

    private func services(_ foundations: NodeFoundations) -> [any Service] {
        [
            TelemetryService(
                self.loaded, address: self.configuration.telemetry.address, registry: self.registry,
                health: foundations.health, logger: self.logger),
            foundations.certificates,
        ] + [foundations.control].compactMap(\.self) + [
            DatabaseMonitor(pool: foundations.pool, metrics: self.metrics.database, time: self.time),
            ResolverMonitor(
                resolver: foundations.resolver, health: foundations.resolverHealth, metrics: self.metrics.dns,
                time: self.time, logger: self.logger),
            MailServices(
                loaded: self.loaded, foundations: foundations, load: self.reload, metrics: self.metrics,
                time: self.time, random: self.random, logger: self.logger),
        ]
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

    /// The service group tells each step of a shutdown, which interests nobody else. It throws errors to whoever runs
    /// the node.
    private var quiet: Logger { self.logger.onlyCritical }
}

extension Logger {
    /// The same logger, for a part whose lines are told elsewhere.
    var onlyCritical: Logger {
        var logger = self
        logger.logLevel = .critical
        return logger
    }
}
