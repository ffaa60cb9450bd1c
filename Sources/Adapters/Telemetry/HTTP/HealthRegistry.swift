import Synchronization

/// The named conditions of this node's health. Each is set by the part that knows; the HTTP server reads.
///
/// Ready means that the listener takes mail. What only keeps mail from being sent makes a check fail, and the node
/// stays ready. Otherwise a load balancer would stop the mail that the node can take.
public final class HealthRegistry: Sendable {
    /// What a node needs in order to serve.
    public enum Check: String, CaseIterable, Sendable {
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
            case .draining: "stops taking mail; what is under way is finished"
            }
        }
    }

    /// One check's state; why it fails is for the operator.
    public enum Status: Equatable, Sendable {
        case passing
        /// It fails, and the node is ready all the same.
        case degraded(String)
        /// It fails, and the node is not ready.
        case failing(String)
    }

    private struct State {
        var checks: [Check: Status]
        var hasStarted = false
        var remarks: [String] = []
    }

    private let state: Mutex<State>

    /// Every check fails until its owner has reported. But a node does not begin by draining, and a network counts as
    /// one until a connection fails. A resolver that has not been examined keeps no mail from being taken.
    public init() {
        var checks = Dictionary(
            uniqueKeysWithValues: Check.allCases.map { ($0, Status.failing("not checked yet")) })
        checks[.draining] = .passing
        checks[.network] = .passing
        checks[.resolver] = .degraded("not checked yet")
        self.state = Mutex(State(checks: checks))
    }

    /// Records the state of one check.
    public func set(_ check: Check, _ status: Status) { self.state.withLock { $0.checks[check] = status } }

    /// Whether one check passes.
    public func isPassing(_ check: Check) -> Bool { self.state.withLock { $0.checks[check] == .passing } }

    /// What operators want to see beside the checks, and no reason to fail: replaces what was said before.
    public func setRemarks(_ remarks: [String]) { self.state.withLock { $0.remarks = remarks } }

    /// What was said so.
    public var remarks: [String] { self.state.withLock(\.remarks) }

    /// Records that the node's start is complete; `/startupz` says 503 until then.
    public func started() { self.state.withLock { $0.hasStarted = true } }

    /// Whether the start is complete.
    public var hasStarted: Bool { self.state.withLock(\.hasStarted) }

    /// Every check with its state, in the order of declaration.
    public var checks: [(check: Check, status: Status)] {
        let checks = self.state.withLock(\.checks)
        return Check.allCases.map { ($0, checks[$0] ?? .passing) }
    }
}
