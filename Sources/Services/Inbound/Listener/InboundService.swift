import Logging
package import MailModel
package import NIOCore
import ServiceLifecycle
package import ServiceSupport
package import Telemetry

/// The inbound half of a node: listens until the shutdown begins, then lets the clients end.
package struct InboundService: Service {
    /// Bound addresses, from which nothing has been accepted yet.
    let listeners: [any Channel]
    let limiter: ConnectionLimiter
    let clients: ChannelRegistry
    /// Stores what the connections accept; it is closed after the last of them.
    let intake: TaskSupervisor
    let health: HealthRegistry
    let draining: Gauge<NoLabels>
    let time: any NodeClock
    /// From the failing of `/readyz` to the closing of the listeners, for load balancers to notice.
    let drainDelay: Duration
    let drainTime: Duration

    /// How long clients that are closed are waited for.
    private static let closingTime = Duration.seconds(1)

    package init(
        listeners: [any Channel], limiter: ConnectionLimiter, clients: ChannelRegistry, intake: TaskSupervisor,
        health: HealthRegistry, draining: Gauge<NoLabels>, time: any NodeClock, drainDelay: Duration,
        drainTime: Duration
    ) {
        self.listeners = listeners
        self.limiter = limiter
        self.clients = clients
        self.intake = intake
        self.health = health
        self.draining = draining
        self.time = time
        self.drainDelay = drainDelay
        self.drainTime = drainTime
    }

    package func run() async throws {
        for channel in self.listeners { try await channel.setOption(.autoRead, value: true).get() }
        self.health.set(.listener, .passing)
        await withTaskGroup { group in
            group.addTask { await self.intake.run() }
            await self.untilShutdown()
            self.health.set(.draining, .failing("draining"))
            self.draining.set(true)
            try? await self.time.sleep(for: self.drainDelay)
            for channel in self.listeners { try? await channel.close() }
            self.limiter.drain()
            await self.drainClients()
            self.intake.close()
        }
    }

    private func untilShutdown() async {
        await cancelWhenGracefulShutdown {
            // Waits for its own cancellation, which is how the shutdown reaches this place.
            await self.time.sleepUntilCancelled()
        }
    }

    private func drainClients() async {
        for channel in self.clients.all { channel.pipeline.fireUserInboundEventTriggered(InboundConnection.Drain()) }
        guard await !self.clients.drained(within: self.drainTime) else { return }
        self.clients.closeAll()
        // What they leave unfinished is taken back, which the intake has to hear of before it is closed.
        _ = await self.clients.drained(within: Self.closingTime)
    }
}
