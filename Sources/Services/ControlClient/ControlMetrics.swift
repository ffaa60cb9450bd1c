import ClusterModel
package import Telemetry

/// The metrics of a node that follows a controller.
package struct ControlMetrics: Sendable {
    /// A type of resource.
    enum ResourceLabel: String, MetricLabel {
        static let labelName = "resource"

        case domain
        case recipientListPart = "recipient_list_part"
        case user, certificate, settings
    }

    /// What became of an update.
    enum ResultLabel: String, MetricLabel {
        static let labelName = "result"

        case applied, refused
    }

    let connected: Gauge<NoLabels>
    let updates: Counter<LabelPair<ResourceLabel, ResultLabel>>
    let appliedVersion: Gauge<ResourceLabel>
    let confirmedAt: Gauge<NoLabels>

    package init(in registry: MetricsRegistry) {
        self.connected = registry.gauge("control_connected", "1 while the node follows its controller, else 0.")
        self.updates = registry.counter(
            "control_updates_total", "Resources of the controller that came, by type and by what became of them.")
        self.appliedVersion = registry.gauge(
            "control_applied_version", "The newest version of a resource of the type that the node serves by.")
        self.confirmedAt = registry.gauge(
            "control_state_confirmed_timestamp_seconds",
            "When the controller last said what the node serves by, in seconds since 1970; 0 before the first time.")
    }

    func count(_ types: some Sequence<ResourceType>, _ result: ResultLabel) {
        for type in types { self.updates.increment(type.label, result) }
    }

    func applied(_ resources: ResourceSet) {
        for type in ResourceType.allCases {
            let newest = resources.inContent.filter { $0.key.type == type }.map(\.value.version).max() ?? 0
            self.appliedVersion.set(type.label, to: Int(clamping: newest))
        }
    }
}

extension ResourceType {
    fileprivate var label: ControlMetrics.ResourceLabel {
        switch self {
        case .domain: .domain
        case .recipientListPart: .recipientListPart
        case .user: .user
        case .certificate: .certificate
        case .settings: .settings
        }
    }
}
