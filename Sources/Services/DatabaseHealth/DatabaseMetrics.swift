package import ServiceSupport
package import Telemetry

/// What is counted of the database, and of operations on the queue, whoever makes them.
package struct DatabaseMetrics: Sendable {
    package let pgConnections: Gauge<DatabaseConnectionState>
    package let pgPoolWait: Histogram<NoLabels>
    package let pgErrors: Counter<DatabaseErrorClass>
    package let pgOldestSnapshotSeconds: Gauge<NoLabels>
    package let queueOperationDuration: Histogram<QueueOperation>
    package let queueCommitWait: Histogram<QueueCommit>

    /// Declares them.
    package init(in registry: MetricsRegistry) {
        self.pgConnections = registry.gauge("pg_connections", "Database connections by state.")
        self.pgPoolWait = registry.seconds(
            "pg_pool_wait_seconds", "Time that transactions wait for a database connection.")
        self.pgErrors = registry.counter("pg_errors_total", "Database errors by class.")
        self.pgOldestSnapshotSeconds = registry.gauge(
            "pg_oldest_snapshot_seconds", "Age of what keeps removed rows from being cleared away; 0 if nothing does.")
        self.queueOperationDuration = registry.seconds(
            "queue_operation_duration_seconds", "Duration of queue operations.")
        self.queueCommitWait = registry.seconds(
            "queue_commit_wait_seconds", "Time that messages, attempts and outcomes wait before their commit begins.")
    }
}
