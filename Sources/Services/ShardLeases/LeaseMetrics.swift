package import ServiceSupport
package import Telemetry

/// What is counted of leases.
package struct LeaseMetrics: Sendable {
    package let queueLeaseExpirations: Counter<NoLabels>
    package let queueOperationDuration: Histogram<QueueOperation>

    /// Declares them.
    package init(in registry: MetricsRegistry, queueOperationDuration: Histogram<QueueOperation>) {
        self.queueLeaseExpirations = registry.counter("queue_lease_expirations_total", "Shard leases lost by expiry.")
        self.queueOperationDuration = queueOperationDuration
    }
}
