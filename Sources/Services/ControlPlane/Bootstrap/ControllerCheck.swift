package import Telemetry

/// What a replica of the controller needs in order to serve.
package enum ControllerCheck: String, HealthCheck {
    /// The database answers.
    case database
    /// The cluster is there, its state is loaded, and the addresses of `control.listeners` take connections.
    case cluster
    /// Secrets are sealed under the key that this replica has as its current one.
    case keys
    /// The authority is in its dates.
    case certificate
    /// The replica is not draining.
    case draining

    /// A replica does not begin by draining, and has read its keys before it says anything.
    package static let initial: [ControllerCheck: HealthStatus] = [.draining: .passing, .keys: .passing]

    package var stops: String {
        switch self {
        case .database: "stops changes and new nodes; nodes go on with what they have"
        case .cluster: "stops this replica"
        case .keys: "stops nothing yet"
        case .certificate: "stops all connections of nodes and people"
        case .draining: "stops this replica; calls under way are finished"
        }
    }
}
