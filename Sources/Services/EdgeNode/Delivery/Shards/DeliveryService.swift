import Logging
import NIOCore
import QueueStore
import RouteLookup
import ServiceLifecycle
import ServiceSupport
import ShardLeases
import Telemetry

/// The outbound half of a node: keeps leases, finds what is due in their shards, and keeps the queue's storage in shape.
struct DeliveryService: Service {
    /// The most destinations at work at once, so that no number of them fills the memory. The others wait in the database.
    static let destinationsAtOnce = 10_000

    private let environment: DeliveryEnvironment
    private let health: HealthRegistry
    private let hints: DueHints
    private let finder: DueScanner
    private let maintenance: QueueMaintenance
    private let deliveries: TaskSupervisor
    private let shards: ShardTable
    private let keeper: LeaseKeeper
    private let drainTime: Duration

    /// - Parameter traceLimits: how much of the trace is kept.
    init(
        environment: DeliveryEnvironment, eventLoops: any EventLoopGroup, health: HealthRegistry, hints: DueHints,
        drainTime: Duration, traceLimits: TraceLimits, leaseMetrics: LeaseMetrics
    ) {
        let deliveries = TaskSupervisor(backlog: 65_536, atOnce: Self.destinationsAtOnce)
        let shards = ShardTable(
            environment: environment, supervisor: deliveries, eventLoops: Array(eventLoops.makeIterator()))
        self.environment = environment
        self.health = health
        self.hints = hints
        self.finder = DueScanner(environment: environment, health: health, shards: shards)
        self.maintenance = QueueMaintenance(environment: environment, traceLimits: traceLimits)
        self.deliveries = deliveries
        self.shards = shards
        self.drainTime = drainTime
        self.keeper = LeaseKeeper(
            store: environment.store, leases: environment.leases, clock: environment.clock,
            monitor: environment.monitor, metrics: leaseMetrics, logger: environment.logger
        ) { await shards.own($0) }
    }

    /// Works until the graceful shutdown begins; then finishes the messages under way and gives the leases back.
    func run() async throws {
        guard await cancelWhenGracefulShutdown({ await self.keeper.register() }) else { return }
        await withTaskGroup { group in
            // Renewal goes on to the very end: without a lease no final dot may be written.
            group.addTask { await self.keeper.run() }
            await self.deliverUntilShutdown()
            group.cancelAll()
        }
        await self.keeper.release()
    }

    private func deliverUntilShutdown() async {
        await withTaskGroup { group in
            group.addTask { await self.deliveries.run() }
            await cancelWhenGracefulShutdown {
                await withTaskGroup { chores in
                    chores.addTask { await self.finder.run() }
                    chores.addTask { await self.finder.follow(self.hints) }
                    chores.addTask { await self.maintenance.promote() }
                    chores.addTask { await self.maintenance.keepInShape() }
                    chores.addTask { await self.maintenance.sumUp() }
                    chores.addTask { await ActivityPublisher(environment: self.environment).run() }
                    chores.addTask { await self.environment.sites.watch() }
                    chores.addTask {
                        for await _ in self.environment.standing.news { await self.shards.heedRules() }
                    }
                    if let flushes = self.environment.flushes { chores.addTask { await flushes.run() } }
                }
            }
            await self.shards.stop()
            // Nothing is begun any more, so nobody need wait for an answer.
            await self.environment.routes.close()
            self.environment.links.close()
            self.deliveries.close()
            group.addTask { try? await Task.sleep(for: self.drainTime) }
            // Either all deliveries have ended, or the time is up. What takes longer is cut off: its attempt is on
            // record, and another owner goes on with it.
            await group.next()
            group.cancelAll()
            self.environment.channels.closeAll()
        }
    }
}
