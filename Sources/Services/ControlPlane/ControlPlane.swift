import ClusterModel
package import ControlStore
package import GRPCCore
import GRPCTransport
package import Logging
package import MailModel
package import NIOCore
import PostgresDriver
import ServiceLifecycle
package import ServiceSupport

/// One replica of the controller: its gRPC services over TLS, and what they follow in the database.
///
/// It keeps nothing on disk. Any number of replicas serve side by side; one of them leads.
package final class ControlPlane: Service {
    private let parts: ControlPlaneParts
    private let transport: GRPCServerTransport
    private let server: GRPCServer<GRPCServerTransport>
    private let shutdown: Shutdown
    /// The methods that it serves.
    package let methods: [MethodDescriptor]

    /// Reads the cluster and issues the replica its certificate. Throws if there is no cluster, or a key does not open.
    package init(
        settings: ControlPlaneSettings, store: ControlStore, keys: KeyRing, clock: any NodeClock, random: RandomSource,
        metrics: ControlPlaneMetrics, logger: Logger, group: any EventLoopGroup, shutdown: Shutdown = .graceful
    ) async throws {
        let parts = try await ControlPlaneParts(
            settings, store: store, keys: keys, clock: clock, random: random, metrics: metrics, logger: logger)
        self.parts = parts
        self.transport = GRPCServerTransport(
            Self.configuration(settings, parts.authority, random), group: group)
        let router = try parts.router(settings)
        self.methods = router.methods
        self.server = GRPCServer(transport: self.transport, router: router)
        self.shutdown = shutdown
    }

    /// Where it listens, once it does; empty if it never will.
    package var listeningAddresses: [SocketAddress] { get async { await self.transport.listeningAddresses } }

    /// The authority that this replica issues by, for metrics and readiness.
    package var authority: ClusterAuthority { self.parts.authority }

    /// Whether the replica has heard from its database lately.
    package var isInTouch: Bool { self.parts.isInTouch }

    /// Serves until it is time to end. Then streams end, calls under way may finish, and the lead is given back.
    package func run() async throws {
        do {
            try await self.serve()
        } catch {
            await self.parts.leadership.end()
            throw error
        }
        await self.parts.leadership.end()
    }

    private func serve() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.server.serve() }
            group.addTask { await self.parts.follow() }
            group.addTask {
                let clock = self.parts.clock
                await self.shutdown.cancels { await clock.sleepUntilCancelled() }
                self.parts.streams.closeAll()
                self.server.beginGracefulShutdown()
                // Held for whoever fails to listen: the tasks that follow end with the server.
                await clock.sleepUntilCancelled()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func configuration(
        _ settings: ControlPlaneSettings, _ authority: ClusterAuthority, _ random: RandomSource
    ) -> GRPCServerTransport.Configuration {
        var configuration = GRPCServerTransport.Configuration(
            addresses: settings.addresses, security: .tls(authority.serverCertificates),
            random: { Double(random.next() >> 11) / Double(UInt64(1) << 53) })
        configuration.limits.open = settings.maximumConnections
        configuration.connection.maximumAge = .nanoseconds(
            Int64(clamping: settings.connectionAge.components.seconds) * 1_000_000_000)
        // A stream of a node does not end by itself: its node has the next connection by then.
        configuration.connection.grace = .seconds(10)
        return configuration
    }
}
