/// The health of a node.
///
/// Ready means that the listener takes mail. What only keeps mail from being sent makes a check fail, and the node
/// stays ready. Otherwise a load balancer would stop the mail that the node can take.
public typealias HealthRegistry = HealthChecks<NodeCheck>

/// What a node needs in order to serve.
public enum NodeCheck: String, HealthCheck {
    /// The queue's database answers.
    case database
    /// The addresses of `smtp.listeners` take connections.
    case listener
    /// The resolver's self-test shows that it validates DNSSEC.
    case resolver
    /// Connections to receiving hosts can be opened.
    case network
    /// Each certificate is in its dates, and there is one.
    case certificate
    /// The node follows its controller, and serves by the controller's latest state.
    case control
    /// The node is not draining.
    case draining

    /// What a failure stops, for the operator.
    public var stops: String {
        switch self {
        case .database: "stops taking and sending mail"
        case .listener: "stops taking mail"
        case .resolver: "stops sending mail that needs the DNS; mail is taken"
        case .network: "stops sending mail; mail is taken"
        case .certificate: "stops mail from hosts that verify our certificate"
        case .control: "stops changes of domains, users and certificates; without any state no mail is taken"
        case .draining: "stops taking mail; what is under way is finished"
        }
    }

    /// A node does not begin by draining, and a network counts as one until a connection fails. A resolver that has not been
    /// examined keeps no mail from being taken.
    public static let initial: [NodeCheck: HealthStatus] = [
        .draining: .passing, .network: .passing, .resolver: .degraded("not checked yet"),
    ]
}
