import Logging
import MailModel
import NIOCore
import RelayConfiguration
import ServiceLifecycle
import Synchronization
import Telemetry
import TelemetryHTTP

/// The telemetry server of a node; says which setting is to blame when it cannot listen.
struct TelemetryService: Service {
    let loaded: LoadedConfiguration
    let registry: MetricsRegistry
    let health: HealthRegistry
    let logger: Logger

    func run() async throws {
        let endpoint = self.loaded.configuration.telemetry.address
        let listens = Mutex(false)
        let server = TelemetryServer(
            host: "\(endpoint.address)", port: Int(endpoint.port), registry: self.registry, health: self.health,
            logger: self.logger
        ) { _ in listens.withLock { $0 = true } }
        do {
            try await server.run()
        } catch let error as IOError where !listens.withLock({ $0 }) {
            throw ListenError.configurationOrTransient(
                errno: error.errnoCode, at: endpoint, key: "telemetry.address", in: self.loaded)
        }
    }
}
