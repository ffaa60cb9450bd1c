import Synchronization

/// The named conditions on which this node's readiness rests. Each is set by the part that knows; the HTTP server reads.
public final class HealthRegistry: Sendable {
    /// What a node needs in order to serve.
    public enum Check: String, CaseIterable, Sendable {
        /// The queue's database answers.
        case database
        /// The resolver's self-test shows that it validates DNSSEC.
        case resolver
        /// Connections to receiving hosts can be opened.
        case network
        /// A certificate and its key are loaded.
        case certificate
        /// The node is not draining.
        case draining
    }

    /// One check's state; why it fails is for the operator.
    public enum Status: Equatable, Sendable {
        case passing
        case failing(String)
    }

    private struct State {
        var checks: [Check: Status]
        var hasStarted = false
    }

    private let state: Mutex<State>

    /// Every check fails until its owner has spoken, except that a node does not begin by draining, and that a network
    /// counts as one until a connection fails.
    public init() {
        var checks = Dictionary(
            uniqueKeysWithValues: Check.allCases.map { ($0, Status.failing("not checked yet")) })
        checks[.draining] = .passing
        checks[.network] = .passing
        self.state = Mutex(State(checks: checks))
    }

    /// Records the state of one check.
    public func set(_ check: Check, _ status: Status) { self.state.withLock { $0.checks[check] = status } }

    /// Whether one check passes.
    public func isPassing(_ check: Check) -> Bool { self.state.withLock { $0.checks[check] == .passing } }

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
