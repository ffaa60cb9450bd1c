package import DeliveryQueue
import Logging
import MailModel
package import NIOCore
import QueueStore
import RouteLookup
import ServiceLifecycle
import ServiceSupport
package import ShardLeases
package import Telemetry

/// The outbound half of a node: keeps leases, finds what is due in their shards, and keeps the queue's storage in shape.
package struct DeliveryService: Service {
    /// The most destinations at work at once, so that no number of them fills the memory. The others wait in the database.
    static let destinationsAtOnce = 10_000

    private let hosts: HostAccess
    private let standing: StandingRules
    private let flushes: DNSFlushWatch?
    private let time: any NodeClock
    private let hints: DueHints
    private let finder: DueScanner
    private let deferred: DeferredEntries
    private let chores: [@Sendable () async -> Void]
    /// The destinations at work.
    let deliveries: TaskSupervisor
    private let shards: ShardTable
    private let keeper: LeaseKeeper
    private let drainTime: Duration

    /// - Parameters:
    ///   - store: where leases are kept.
    ///   - drainTime: for so long the deliveries under way are waited for.
    ///   - blocked: what is known of throttled domains at first, and how often new mail is a test delivery to one.
    ///   - chores: done beside the deliveries, each until it is cancelled.
    package init(
        parts: DeliveryParts, store: any LeaseStore, eventLoops: [any EventLoop], health: HealthRegistry,
        hints: DueHints, drainTime: Duration, leaseMetrics: LeaseMetrics,
        blocked: BlockedDomains = BlockedDomains(), chores: [@Sendable () async -> Void] = []
    ) {
        let deliveries = TaskSupervisor(backlog: 65_536, atOnce: Self.destinationsAtOnce)
        let shards = ShardTable { term in
            QueueShard(
                parts.destinations, term: term, supervisor: deliveries, eventLoops: eventLoops, blocked: blocked,
                clock: parts.clock, time: parts.time)
        }
        self.hosts = parts.hosts
        self.standing = parts.gate.standing
        self.flushes = parts.flushes
        self.time = parts.time
        self.hints = hints
        self.finder = DueScanner(
            store: parts.store, hosts: parts.hosts, gate: parts.gate, activity: parts.activity, health: health,
            shards: shards, logger: parts.logger, clock: parts.clock, time: parts.time)
        self.deferred = DeferredEntries(
            store: parts.store, leases: parts.gate.leases, time: parts.time, logger: parts.logger)
        self.chores = chores
        self.deliveries = deliveries
        self.shards = shards
        self.drainTime = drainTime
        self.keeper = LeaseKeeper(
            store: store, leases: parts.gate.leases, clock: parts.clock, time: parts.time, monitor: parts.gate.monitor,
            metrics: leaseMetrics, logger: parts.logger
        ) { await shards.own($0) }
    }

    /// Works until the graceful shutdown begins; then finishes the messages under way and gives the leases back.
    package func run() async throws { await self.run(until: .graceful) }

    /// The same, until this shutdown.
    func run(until shutdown: Shutdown) async {
        guard await shutdown.cancels({ await self.keeper.register() }) else { return }
        await withTaskGroup { group in
            // Renewal goes on to the very end: without a lease no final dot may be written.
            group.addTask { await self.keeper.run() }
            await self.deliver(until: shutdown)
            group.cancelAll()
        }
        await self.keeper.release()
    }

    private func deliver(until shutdown: Shutdown) async {
        await withTaskGroup { group in
            group.addTask { await self.deliveries.run() }
            await shutdown.cancels {
                await withTaskGroup { chores in
                    chores.addTask { await self.finder.run() }
                    chores.addTask { await self.finder.follow(self.hints) }
                    chores.addTask { await self.deferred.run() }
                    chores.addTask { await self.hosts.sites.watch() }
                    chores.addTask {
                        for await _ in self.standing.news { await self.shards.heedRules() }
                    }
                    if let flushes = self.flushes { chores.addTask { await flushes.run() } }
                    for chore in self.chores { chores.addTask { await chore() } }
                }
            }
            await self.shards.stop()
            // Nothing is begun any more, so nobody need wait for an answer.
            await self.hosts.routes.close()
            self.hosts.links.close()
            self.deliveries.close()
            group.addTask { try? await self.time.sleep(for: self.drainTime) }
            // Either all deliveries have ended, or the time is up. What takes longer is cut off: its attempt is on
            // record, and another owner goes on with it.
            await group.next()
            group.cancelAll()
            self.hosts.dialer.closeAll()
        }
    }
}
