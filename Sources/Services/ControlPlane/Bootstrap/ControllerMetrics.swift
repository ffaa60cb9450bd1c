package import Telemetry

/// The metrics of `relay-controller`: those that its parts declare, and its own.
package struct ControllerMetrics: Sendable {
    /// How much is logged.
    package let log: LogMetrics
    let plane: ControlPlaneMetrics
    let draining: Gauge<NoLabels>

    /// Declares every metric in `registry`, and `build_info` and `process_*` besides.
    package init(in registry: MetricsRegistry, version: String, revision: String) {
        self.plane = ControlPlaneMetrics(in: registry)
        self.draining = registry.gauge("draining", "1 from the signal to stop until the end of the process, else 0.")
        self.log = LogMetrics(in: registry)
        registry.observed(
            "build_info", .gauge, "Always 1; the labels say what is running.",
            labels: [("version", version), ("revision", revision)]
        ) { 1 }
        ProcessMetrics.register(in: registry)
    }
}

extension MetricsRegistry {
    /// An empty one, whose names begin as all of `relay-controller` do.
    package static var ofController: MetricsRegistry { MetricsRegistry(namespace: "relay_controller") }
}
