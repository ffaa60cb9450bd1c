package import MailModel
package import PostgresDriver
import ServiceLifecycle
import Telemetry

/// Publishes what the pool of database connections does.
package struct DatabaseMonitor: Service {
    private static let interval = Duration.seconds(1)

    package let pool: PostgresPool
    package let metrics: DatabaseMetrics
    package let time: any NodeClock

    package init(pool: PostgresPool, metrics: DatabaseMetrics, time: any NodeClock) {
        self.pool = pool
        self.metrics = metrics
        self.time = time
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var published = PoolStatistics()
            while !Task.isCancelled {
                published = self.publish(since: published)
                try? await self.time.sleep(for: Self.interval)
            }
        }
    }

    private func publish(since before: PoolStatistics) -> PoolStatistics {
        let now = self.pool.statistics
        self.metrics.pgConnections.set(.connecting, to: now.connecting)
        self.metrics.pgConnections.set(.idle, to: now.idle)
        self.metrics.pgConnections.set(.busy, to: now.busy)
        for (code, count) in now.errors {
            self.metrics.pgErrors.increment(DatabaseErrorClass(code), by: count - before.errors[code, default: 0])
        }
        return now
    }
}
