import ClusterModel
package import Logging
package import MailModel
package import QueueStore
package import ShardLeases
import Telemetry

/// How much of the trace is kept.
package struct TraceLimits: Hashable, Sendable {
    /// By whole days.
    let retention: Duration
    /// On the disk of the database's server; 0 is without limit.
    let bytes: Int

    package init(retention: Duration, bytes: Int) {
        self.retention = retention
        self.bytes = bytes
    }
}

/// Keeps the queue's storage in shape: forgets what is over, gives space back, and counts what waits.
package struct QueueMaintenance: Sendable {
    private let store: QueueStore
    private let leases: LeaseTable
    private let traceLimits: TraceLimits
    private let metrics: DeliveryMetrics
    private let time: any NodeClock
    private let logger: Logger

    private static let interval = Duration.seconds(30)
    /// How often the ready entries change partitions, if it is worth it: what is gone slows down those who come, until
    /// its partition is truncated.
    private static let rotationInterval = Duration.seconds(5)
    /// The most entries that are moved between two rotations.
    private static let carriedAtOnce = 20_000
    private static let page = 1000
    /// Bodies may have many chunks, which are to go within the time of one statement.
    private static let orphanPage = 4

    /// - Parameter leases: of the shards that are swept.
    package init(
        store: QueueStore, leases: LeaseTable, traceLimits: TraceLimits, metrics: DeliveryMetrics,
        time: any NodeClock, logger: Logger
    ) {
        self.store = store
        self.leases = leases
        self.traceLimits = traceLimits
        self.metrics = metrics
        self.time = time
        self.logger = logger
    }

    /// Works until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepInShape() }
            group.addTask { await self.sumUp() }
        }
    }

    private func keepInShape() async {
        while !Task.isCancelled {
            await self.sweep()
            await self.chore("keeping the trace", self.keepTrace)
            await self.chore("forgetting sums") { () throws(QueueStoreError) in
                try await self.store.sweepWaitingSums()
            }
            for _ in 0..<Int(Self.interval / Self.rotationInterval) {
                await self.chore("rotating partitions", self.rotate)
                try? await self.time.sleep(for: Self.rotationInterval)
            }
        }
    }

    /// Counts what waits for throttled destinations, and publishes how much there is of each state.
    private func sumUp() async {
        while !Task.isCancelled {
            let started = self.time.now
            await self.chore("counting throttled destinations") { () throws(QueueStoreError) in
                try await self.store.countThrottled(self.leases.terms)
            }
            await self.chore("summing up", self.publishSummary)
            try? await self.time.sleep(for: CountPace.pause(after: self.time.now - started))
        }
    }

    private func keepTrace() async throws(QueueStoreError) {
        try await self.store.keepTrace(for: self.traceLimits.retention)
        guard self.traceLimits.bytes > 0 else { return }
        let forgotten = try await self.store.limitTrace(to: self.traceLimits.bytes)
        guard forgotten > 0 else { return }
        self.logger.warning(
            "the trace exceeded its size limit; its oldest days were deleted",
            metadata: ["limit": "\(self.traceLimits.bytes)", "days": "\(forgotten)"])
    }

    private func sweep() async {
        for term in self.leases.terms {
            await self.chore("sweeping finished messages") { () throws(QueueStoreError) in
                try await self.everything { () throws(QueueStoreError) in
                    try await self.store.sweepFinished(term.shard, limit: Self.page) == Self.page
                }
            }
            await self.chore("sweeping destinations") { () throws(QueueStoreError) in
                try await self.everything { () throws(QueueStoreError) in
                    try await self.store.sweepDestinations(term, limit: Self.page) == Self.page
                }
            }
        }
        await self.chore("sweeping orphans") { () throws(QueueStoreError) in
            try await self.everything { () throws(QueueStoreError) in
                try await self.store.sweepOrphans(limit: Self.orphanPage) == Self.orphanPage
            }
        }
    }

    /// Truncates the partition that takes no new entries. If a few that wait are in the way, they are moved first.
    private func rotate() async throws(QueueStoreError) {
        guard try await !self.store.rotateReady(), try await self.store.readyStorage().isWorthMoving else { return }
        var left = Self.carriedAtOnce
        for term in self.leases.terms {
            var moved = 0
            repeat {
                moved = try await self.store.carryOver(term, limit: Self.page)
                left -= moved
            } while moved == Self.page && left > 0 && !Task.isCancelled
            guard left > 0, !Task.isCancelled else { return }
        }
        try await self.store.rotateReady()
    }

    /// Takes one page after the other, each in a transaction of its own, as long as `page` finds more. So no rate of
    /// mail outgrows the maintenance.
    private func everything(_ page: () async throws(QueueStoreError) -> Bool) async throws(QueueStoreError) {
        while try await page(), !Task.isCancelled {}
    }

    /// Does one piece of maintenance; what fails is tried again in the next round, and holds nothing else up. A shutdown waits
    /// for no more than the present statement.
    private func chore(_ name: String, _ body: () async throws(QueueStoreError) -> Void) async {
        guard !Task.isCancelled else { return }
        do throws(QueueStoreError) {
            try await body()
        } catch {
            self.logger.warning("maintenance failed", metadata: ["chore": "\(name)", "error": "\(error)"])
        }
    }

    private func publishSummary() async throws(QueueStoreError) {
        let overview = try await self.store.overview()
        for state in QueueListing.State.allCases {
            self.metrics.queueMessages.set(state, to: overview.summary[state].entries)
            self.metrics.queueBytes.set(state, to: overview.summary[state].bytes)
            let seconds = overview.oldest[state].map { Int($0.microseconds / 1_000_000) }
            self.metrics.queueOldestMessage.set(state, to: seconds ?? 0)
        }
    }
}
