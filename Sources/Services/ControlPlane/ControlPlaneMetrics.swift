import ClusterModel
package import Telemetry

/// What came of the beginning of a stream.
package enum SnapshotResult: String, MetricLabel {
    package static let labelName = "result"
    case sent, throttled, behind
}

/// How a node stands.
package struct StandingLabel: MetricLabels, CaseIterable {
    package static let allCases = NodeStanding.allCases.map(StandingLabel.init)

    let standing: NodeStanding

    package var pairs: [(name: String, value: String)] { [("standing", self.standing.rawValue)] }
}

/// What is counted of a replica of the controller.
package struct ControlPlaneMetrics: Sendable {
    package let streams: Gauge<NoLabels>
    package let snapshots: Counter<SnapshotResult>
    package let refusals: Counter<NoLabels>
    package let enrolments: Counter<EnrolmentLog.Labels>
    package let changes: Counter<ChangedResource>
    package let nodes: Gauge<StandingLabel>
    package let stateVersion: Gauge<NoLabels>
    package let leader: Gauge<NoLabels>
    package let authorityNotBefore: Gauge<NoLabels>
    package let authorityNotAfter: Gauge<NoLabels>

    /// Declares them.
    package init(in registry: MetricsRegistry) {
        self.streams = registry.gauge("control_streams", "Nodes that follow the state at this replica.")
        self.snapshots = registry.counter(
            "control_snapshots_total", "Streams that nodes began, by what came of their first answer.")
        self.refusals = registry.counter("control_refusals_total", "States that nodes refused.")
        self.enrolments = registry.counter(
            "enrolments_total", "Certificates that were asked for, by how, and by what came of it.")
        self.changes = registry.counter(
            "changes_total", "Changes of the cluster that were made here, by what they changed.")
        self.nodes = registry.gauge(
            "nodes", "Enrolled nodes by how they stand. Only the replica that leads counts them; elsewhere 0.")
        self.stateVersion = registry.gauge("state_version", "The version of the state that this replica serves.")
        self.leader = registry.gauge("leader", "1 if this replica leads.")
        self.authorityNotBefore = registry.gauge(
            "authority_not_before_timestamp_seconds", "When the certificate of the authority that issues began.")
        self.authorityNotAfter = registry.gauge(
            "authority_not_after_timestamp_seconds", "When the certificate of the authority that issues ends.")
    }
}
