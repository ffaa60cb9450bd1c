import ClusterModel
package import ControlStore
import Cryptography
package import Logging
package import MailModel
package import NIOCore
import ServiceLifecycle
import ServiceSupport
package import Telemetry

/// A replica from its start to its end: it waits for the database, serves, and drains. `/readyz` says where it stands.
package struct ControllerService: Service {
    /// How a replica ends.
    package struct Drain: Sendable {
        /// From the failing of `/readyz` to the end of listening, for load balancers to notice.
        let delay: Duration
        /// For open calls to end after that.
        let timeout: Duration

        package init(delay: Duration, timeout: Duration) {
            self.delay = delay
            self.timeout = timeout
        }
    }

    let settings: ControlPlaneSettings
    let store: ControlStore
    let keys: KeyRing
    let drain: Drain
    let health: HealthChecks<ControllerCheck>
    let metrics: ControllerMetrics
    let clock: any NodeClock
    let random: RandomSource
    let logger: Logger
    let group: any EventLoopGroup

    package init(
        settings: ControlPlaneSettings, store: ControlStore, keys: KeyRing, drain: Drain,
        health: HealthChecks<ControllerCheck>, metrics: ControllerMetrics, clock: any NodeClock, random: RandomSource,
        logger: Logger, group: any EventLoopGroup
    ) {
        self.settings = settings
        self.store = store
        self.keys = keys
        self.drain = drain
        self.health = health
        self.metrics = metrics
        self.clock = clock
        self.random = random
        self.logger = logger
        self.group = group
    }

    package func run() async throws {
        let start = ControllerStart(store: self.store, health: self.health, clock: self.clock, logger: self.logger)
        guard let plane = try await start.run({ try await self.plane() }) else {
            self.beginDraining()
            return
        }
        try await self.serve(plane)
    }

    private func plane() async throws -> ControlPlane {
        guard let cluster = try await self.store.cluster() else { throw StartFault.absent }
        guard ClusterIdentity(cluster: cluster.name, role: .controller, name: self.settings.replica) != nil else {
            throw StartFault.name(self.settings.replica)
        }
        do {
            return try await ControlPlane(
                settings: self.settings, store: self.store, keys: self.keys, clock: self.clock, random: self.random,
                metrics: self.metrics.plane, logger: self.logger, group: self.group,
                shutdown: Shutdown { await self.untilDrained() })
        } catch let error as CryptographyError where error.code == .otherKey {
            throw StartFault(error)
        }
    }

    private func serve(_ plane: ControlPlane) async throws {
        let monitor = ControllerMonitor(
            plane: plane, store: self.store, keys: self.keys, health: self.health, clock: self.clock,
            logger: self.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await plane.run() }
            group.addTask { await monitor.run() }
            group.addTask {
                await self.untilShutdown()
                try? await self.clock.sleep(for: self.drain.delay + self.drain.timeout)
            }
            // The replica ends, or has had its time.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func untilShutdown() async {
        await cancelWhenGracefulShutdown { await self.clock.sleepUntilCancelled() }
    }

    /// Until nothing new is to be taken any more.
    private func untilDrained() async {
        await self.untilShutdown()
        guard Task.isShuttingDownGracefully else { return }
        self.beginDraining()
        try? await self.clock.sleep(for: self.drain.delay)
    }

    private func beginDraining() {
        self.logger.notice("draining")
        self.health.set(.draining, .failing("draining"))
        self.metrics.draining.set(true)
    }
}
