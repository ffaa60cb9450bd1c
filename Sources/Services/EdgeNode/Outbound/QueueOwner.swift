import DeliveryQueue
import Logging
import NIOCore
import QueueStore
import ServiceLifecycle
import Telemetry

/// The outbound half of a node: keeps leases, finds what is due in their shards, and keeps the queue's storage in shape.
struct QueueOwner: Service {
    /// Hints of new mail by which the writer saves the wait for the next poll.
    struct Hints: Sendable {
        let stream: AsyncStream<DueEntry>
        let continuation: AsyncStream<DueEntry>.Continuation

        /// The most hints that wait; one that is dropped is found by the poll.
        init(limit: Int = 4096) {
            (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(limit))
        }
    }

    /// How often the database is asked what is due. New mail of this node does not wait for it.
    private static let pollInterval = Duration.seconds(1)
    /// How often deferred entries are brought back, and what is over is swept.
    private static let upkeepInterval = Duration.seconds(30)

    private let environment: DeliveryEnvironment
    private let health: HealthRegistry
    private let hints: Hints
    private let deliveries: TaskSupervisor
    private let shards: ShardTable
    private let keeper: LeaseKeeper
    private let drainTime: Duration

    init(
        environment: DeliveryEnvironment, eventLoops: any EventLoopGroup, health: HealthRegistry, hints: Hints,
        drainTime: Duration
    ) {
        let deliveries = TaskSupervisor(backlog: 65_536)
        let shards = ShardTable(
            environment: environment, supervisor: deliveries, eventLoops: Array(eventLoops.makeIterator()))
        self.environment = environment
        self.health = health
        self.hints = hints
        self.deliveries = deliveries
        self.shards = shards
        self.drainTime = drainTime
        self.keeper = LeaseKeeper(
            store: environment.store, leases: environment.leases, clock: environment.clock, health: health,
            metrics: environment.metrics, logger: environment.logger
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
                    chores.addTask { await self.poll() }
                    chores.addTask { await self.followHints() }
                    chores.addTask { await self.promote() }
                    chores.addTask { await self.keepInShape() }
                }
            }
            await self.shards.stop()
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

    // MARK: - Finding work

    /// Mail waits while the resolver does not validate: its answers would hold it back, and blame the wrong side.
    private var mayDeliver: Bool { self.health.isPassing(.resolver) }

    private func poll() async {
        while !Task.isCancelled {
            let terms = self.environment.leases.terms()
            if self.mayDeliver, !terms.isEmpty {
                do throws(QueueStoreError) {
                    for entry in try await self.environment.store.dueDestinations(terms) {
                        await self.shards.due(entry)
                    }
                } catch {
                    self.environment.logger.warning("poll failed", metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: Self.pollInterval)
        }
    }

    private func followHints() async {
        for await entry in self.hints.stream where self.mayDeliver { await self.shards.arrived(entry) }
    }

    // MARK: - Upkeep

    /// Brings deferred entries back, all that are due soon, however many one domain has.
    private func promote() async {
        let store = self.environment.store
        while !Task.isCancelled {
            for term in self.environment.leases.terms() {
                await self.chore("bringing deferred entries back") { () throws(QueueStoreError) in
                    let page = 1000
                    while try await store.promoteDeferred(term, limit: page) == page, !Task.isCancelled {}
                }
            }
            try? await Task.sleep(for: Self.upkeepInterval)
        }
    }

    private func keepInShape() async {
        let store = self.environment.store
        while !Task.isCancelled {
            for term in self.environment.leases.terms() {
                await self.chore("sweeping finished messages") { () throws(QueueStoreError) in
                    try await store.sweepFinished(term.shard)
                }
            }
            await self.chore("sweeping orphans") { () throws(QueueStoreError) in try await store.sweepOrphans() }
            await self.chore("rotating partitions") { () throws(QueueStoreError) in try await store.rotateReady() }
            await self.chore("summing up", self.publishSummary)
            try? await Task.sleep(for: Self.upkeepInterval)
        }
    }

    /// Does one piece of upkeep; what fails is tried again in the next round, and holds nothing else up. A shutdown waits
    /// for no more than the present statement.
    private func chore(_ name: String, _ body: () async throws(QueueStoreError) -> Void) async {
        guard !Task.isCancelled else { return }
        do throws(QueueStoreError) {
            try await body()
        } catch {
            self.environment.logger.warning("upkeep failed", metadata: ["chore": "\(name)", "error": "\(error)"])
        }
    }

    private func publishSummary() async throws(QueueStoreError) {
        let summary = try await self.environment.store.summary()
        self.environment.metrics.queueMessages.set(.ready, to: summary.ready.entries)
        self.environment.metrics.queueMessages.set(.deferred, to: summary.deferred.entries)
        self.environment.metrics.queueBytes.set(.ready, to: summary.ready.bytes)
        self.environment.metrics.queueBytes.set(.deferred, to: summary.deferred.bytes)
    }
}
