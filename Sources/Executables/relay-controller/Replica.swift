import ControlPlane
import ControlStore
import DaemonSupport
import Foundation
import GRPCCore
import Logging
import MailModel
import NIOCore
import NIOPosix
import OperatingSystem
import OperatorCommands
import PostgresDriver
import QueueStore
import RelayConfiguration
import ServiceLifecycle
import ServiceSupport
import Telemetry
import UnixSignals

/// One replica as a process. Telemetry comes first, and answers while the replica waits for its database.
struct Replica {
    /// Connections to the queue's database: people who look at it at a time.
    private static let queueConnections = 4

    private let loaded: LoadedSettings<ControllerConfiguration>
    private let metrics: ControllerMetrics
    private let registry: MetricsRegistry
    private let logger: Logger

    init(
        _ loaded: LoadedSettings<ControllerConfiguration>, metrics: ControllerMetrics, registry: MetricsRegistry,
        logger: Logger
    ) {
        self.loaded = loaded
        self.metrics = metrics
        self.registry = registry
        var logger = logger
        logger[metadataKey: LogKey.node] = "\(loaded.configuration.controller.name)"
        self.logger = logger
    }

    private var configuration: ControllerConfiguration { self.loaded.configuration }

    /// Runs until SIGTERM or SIGINT has been obeyed. Throws a `ConfigurationError` if the settings are to blame.
    func run() async throws {
        try self.checkDescriptors()
        self.logger.notice(
            "starting",
            metadata: [
                "version": "\(ProgramVersion.text(of: "relay-controller"))",
                "pid": .stringConvertible(ProcessInfo.processInfo.processIdentifier),
                "configuration": "\(self.loaded.file ?? "no file")",
            ])
        for warning in self.loaded.warnings { self.logger.warning("\(warning)") }
        let keys = try self.loaded.keyRing()
        let pool = PostgresPool(self.configuration.database.poolSettings(), logger: self.logger)
        defer { pool.shutDown() }
        let queue = self.configuration.queue.connection.map {
            QueueConnection($0, size: Self.queueConnections, program: "relay-controller", logger: self.logger)
        }
        defer { queue?.close() }
        var settings = self.configuration.planeSettings
        settings.queue = queue
        let health = HealthChecks<ControllerCheck>()
        let services: [any Service] = [
            TelemetryService(
                self.loaded, address: self.configuration.telemetry.address, registry: self.registry, health: health,
                logger: self.logger),
            ControllerService(
                settings: settings, store: ControlStore(pool: pool), keys: keys,
                drain: ControllerService.Drain(
                    delay: self.configuration.drain.delay, timeout: self.configuration.drain.timeout),
                health: health, metrics: self.metrics, clock: .system, random: .system, logger: self.logger,
                group: MultiThreadedEventLoopGroup.singleton),
        ]
        // The process is up, whatever the database does: an orchestrator that started it anew would gain nothing.
        health.started()
        try await self.serve(services)
        self.logger.notice("stopped")
    }

    private func serve(_ services: [any Service]) async throws {
        // The service group tells each step of a shutdown, which interests nobody else.
        var quiet = self.logger
        quiet.logLevel = .critical
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        do {
            try await group.run()
        } catch let fault as StartFault {
            throw ConfigurationError(problems: [self.loaded.problem(with: fault.setting, fault.description)])
        } catch let error as RuntimeError {
            guard let fault = error.cause as? IOError else { throw error }
            throw self.listenError(fault)
        }
    }

    /// Why it cannot listen, with the address that somebody else has, as far as that can be told.
    private func listenError(_ error: IOError) -> any Error {
        let listeners = self.configuration.control.listeners
        let index = listeners.firstIndex { PortHolder.find($0.address, port: $0.port) != nil } ?? 0
        return ListenError.configurationOrTransient(
            errno: error.errnoCode, at: listeners[index], key: "control.listeners", element: "[\(index)]",
            in: self.loaded)
    }

    /// A replica that runs out of descriptors under load would lose its database first.
    private func checkDescriptors() throws(ConfigurationError) {
        let databases = self.configuration.database.poolSize + Self.queueConnections
        let needed = self.configuration.control.maxConnections + databases + 128
        let allowed = FileDescriptorLimit.raise()
        guard needed > allowed else { return }
        throw ConfigurationError(problems: [
            self.loaded.problem(
                with: "control.max-connections",
                "this takes \(needed) file descriptors, and the system allows \(allowed)")
        ])
    }
}
