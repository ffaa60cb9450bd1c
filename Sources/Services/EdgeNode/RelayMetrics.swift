import ControlClient
import DatabaseHealth
import Delivery
import Inbound
import ShardLeases
public import Telemetry

/// The metrics of `relayd`: those that its parts declare, and its own.
public struct RelayMetrics: Sendable {
    /// How much is logged.
    public let log: LogMetrics
    let inbound: InboundMetrics
    let delivery: DeliveryMetrics
    let dns: DNSMetrics
    let leases: LeaseMetrics
    let database: DatabaseMetrics
    let configLastReloadSuccessful: Gauge<NoLabels>
    let draining: Gauge<NoLabels>
    /// Of a node that follows a controller.
    let control: ControlMetrics?

    /// Declares every metric in `registry`, and `build_info` and `process_*` besides. `listeners` are the configured
    /// listeners' names; those of the controller are there only if the node has one.
    public init(
        in registry: MetricsRegistry, listeners: [String], hasController: Bool = false, version: String,
        revision: String
    ) {
        self.database = DatabaseMetrics(in: registry)
        let operations = self.database.queueOperationDuration
        self.inbound = InboundMetrics(in: registry, listeners: listeners, queueOperationDuration: operations)
        self.delivery = DeliveryMetrics(
            in: registry, queueOperationDuration: operations, queueCommitWait: self.database.queueCommitWait)
        self.dns = DNSMetrics(in: registry)
        self.leases = LeaseMetrics(in: registry, queueOperationDuration: operations)
        self.configLastReloadSuccessful = registry.gauge(
            "config_last_reload_successful", "1 while the configuration that was loaded last is in force, else 0.")
        self.configLastReloadSuccessful.set(true)
        self.draining = registry.gauge("draining", "1 from the signal to stop until the end of the process, else 0.")
        self.control = hasController ? ControlMetrics(in: registry) : nil
        self.log = LogMetrics(in: registry)
        registry.observed(
            "build_info", .gauge, "Always 1; the labels say what is running.",
            labels: [("version", version), ("revision", revision)]
        ) { 1 }
        ProcessMetrics.register(in: registry)
    }
}

extension MetricsRegistry {
    /// An empty one, whose names begin as all of `relayd` do.
    public static var ofRelayd: MetricsRegistry { MetricsRegistry(namespace: "relayd") }
}
