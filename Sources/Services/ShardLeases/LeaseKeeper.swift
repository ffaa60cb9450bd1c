package import ClusterModel
package import DatabaseHealth
package import Logging
package import MailModel
import QueueStore
import ServiceSupport
import Telemetry

/// Takes and renews this node's leases. One node owns all shards for now, so it takes every one that is free.
package struct LeaseKeeper: Sendable {
    package let store: any LeaseStore
    package let leases: LeaseTable
    package let clock: DatabaseClock
    package let time: any NodeClock
    package let monitor: StoreMonitor?
    package let metrics: LeaseMetrics
    package let logger: Logger
    /// Is told which terms are ours after each round that the database answered.
    package let changed: @Sendable ([ShardTerm]) async -> Void

    package init(
        store: any LeaseStore, leases: LeaseTable, clock: DatabaseClock, time: any NodeClock, monitor: StoreMonitor?,
        metrics: LeaseMetrics, logger: Logger, changed: @escaping @Sendable ([ShardTerm]) async -> Void
    ) {
        self.store = store
        self.leases = leases
        self.clock = clock
        self.time = time
        self.monitor = monitor
        self.metrics = metrics
        self.logger = logger
        self.changed = changed
    }

    /// Enters the node into the list. After a crash this waits until the former run has been forgotten. `false` when it
    /// was cancelled before.
    package func register() async -> Bool {
        var isFirst = true
        var watch = StaleNodeDetector<String, NodeSighting>()
        while !Task.isCancelled {
            do throws(QueueStoreError) {
                let seen = try await self.store.sightingOfNode().map { [self.store.node: $0] } ?? [:]
                let silent = watch.observed(seen, at: self.time.now, stillFor: self.store.terms.timeToLive)
                try await self.store.registerNode(replacing: silent[self.store.node])
                return true
            } catch {
                let reason = self.whatItWaitsFor(error)
                if isFirst { self.logger.warning("waiting to register", metadata: [LogKey.reason: "\(reason)"]) }
                isFirst = false
                self.failed(error, because: reason)
            }
            try? await self.time.sleep(for: .milliseconds(500))
        }
        return false
    }

    /// Renews until cancelled.
    package func run() async {
        var watch = StaleNodeDetector<Shard, LeaseSighting>()
        while !Task.isCancelled {
            await self.round(&watch)
            try? await self.time.sleep(for: self.store.terms.renewalInterval)
        }
    }

    /// Gives everything back, so that others need not wait.
    package func release() async {
        do throws(QueueStoreError) {
            try await self.store.release(self.leases.all)
            try await self.store.unregisterNode()
        } catch {
            // They run out by themselves.
            self.logger.warning("leases not released", metadata: ["error": "\(error)"])
        }
    }

    private func round(_ watch: inout StaleNodeDetector<Shard, LeaseSighting>) async {
        do throws(QueueStoreError) {
            let known = self.leases.all
            let started = self.time.now
            let kept = known.isEmpty ? [] : try await self.store.renew(known)
            self.metrics.queueOperationDuration.observe(.renewLease, self.time.now - started)
            self.leases.replace(kept)
            self.metrics.queueLeaseExpirations.increment(by: known.count - kept.count)
            let owned = Set(kept.map(\.shard))
            let missing = self.store.shardMap.shards.filter { !owned.contains($0) }
            if !missing.isEmpty {
                let seen = try await self.store.sightings(of: missing)
                let silent = watch.observed(seen, at: self.time.now, stillFor: self.store.terms.timeToLive)
                self.leases.add(try await self.store.acquireLeases(missing, silent: silent))
            }
            try await self.clock.synchronise(with: self.store)
            self.monitor?.report(.renewed)
            // A lease that merely ran out while the database was away is still ours until another takes the shard. We
            // must find its deliveries under way, and not begin them a second time.
            await self.changed(self.leases.all.map(\.term))
        } catch {
            self.failed(error)
            self.logger.warning("leases not renewed", metadata: ["error": "\(error)"])
        }
    }

    private func whatItWaitsFor(_ error: QueueStoreError) -> String {
        guard error.code == .duplicateNode else { return "\(error)" }
        let time = Int(self.store.terms.timeToLive / .seconds(1))
        return """
            \(error.message), or ended without giving its name back: this one takes over when that has not been seen alive \
            for \(time)s (queue.lease-ttl)
            """
    }

    private func failed(_ error: QueueStoreError, because reason: String? = nil) {
        self.monitor?.report(.notRenewed(reason ?? "\(error)"))
        self.monitor?.report(error)
    }
}
