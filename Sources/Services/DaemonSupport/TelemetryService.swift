package import Logging
package import MailModel
import NIOCore
package import RelayConfiguration
import ServiceLifecycle
import Synchronization
package import Telemetry
import TelemetryHTTP

/// The telemetry server of a program; says which setting is to blame when it cannot listen.
package struct TelemetryService<Settings: ProgramSettings, Check: HealthCheck>: Service {
    private let loaded: LoadedSettings<Settings>
    private let address: Endpoint
    private let registry: MetricsRegistry
    private let health: HealthChecks<Check>
    private let logger: Logger

    /// A server at `address`, which `telemetry.address` of the settings says.
    package init(
        _ loaded: LoadedSettings<Settings>, address: Endpoint, registry: MetricsRegistry, health: HealthChecks<Check>,
        logger: Logger
    ) {
        self.loaded = loaded
        self.address = address
        self.registry = registry
        self.health = health
        self.logger = logger
    }

    package func run() async throws {
        let listens = Mutex(false)
        let server = TelemetryServer(
            host: "\(self.address.address)", port: Int(self.address.port), registry: self.registry,
            health: self.health, logger: self.logger
        ) { _ in listens.withLock { $0 = true } }
        do {
            try await server.run()
        } catch let error as IOError where !listens.withLock({ $0 }) {
            throw ListenError.configurationOrTransient(
                errno: error.errnoCode, at: self.address, key: "telemetry.address", in: self.loaded)
        }
    }
}
