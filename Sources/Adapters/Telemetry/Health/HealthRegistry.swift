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
        /// Of checks that are set by turns, the last.
        var turns: [Check: UInt64] = [:]
        var hasStarted = false
        var remarks: [String] = []

        /// A bit for each check that passes.
        var passing: UInt { Check.allCases.reduce(0) { $0 | (self.checks[$1] == .passing ? $1.bit : 0) } }
    }

    private let state: Mutex<State>
    /// The checks that pass, for those who ask for each message. Changed under the lock.
    private let passing: Atomic<UInt>

    /// Every check fails until its owner has reported. But a node does not begin by draining, and a network counts as
    /// one until a connection fails. A resolver that has not been examined keeps no mail from being taken.
    public init() {
        var checks = Dictionary(
            uniqueKeysWithValues: Check.allCases.map { ($0, Status.failing("not checked yet")) })
        checks[.draining] = .passing
        checks[.network] = .passing
        checks[.resolver] = .degraded("not checked yet")
        let state = State(checks: checks)
        self.passing = Atomic(state.passing)
        self.state = Mutex(state)
    }

    /// Records the state of one check.
    public func set(_ check: Check, _ status: Status) {
        self.state.withLock { state in
            state.checks[check] = status
            self.passing.store(state.passing, ordering: .relaxed)
        }
    }

    /// The same, for an owner that decides under a lock of its own and speaks after it: of two calls the one with the later turn
    /// stands, whichever comes last.
    public func set(_ check: Check, _ status: Status, turn: UInt64) {
        self.state.withLock { state in
            guard turn > state.turns[check, default: 0] else { return }
            state.turns[check] = turn
            state.checks[check] = status
            self.passing.store(state.passing, ordering: .relaxed)
        }
    }

    /// Whether one check passes. It takes no lock.
    public func isPassing(_ check: Check) -> Bool { self.passing.load(ordering: .relaxed) & check.bit != 0 }

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

extension HealthRegistry.Check {
    fileprivate var bit: UInt {
        switch self {
        case .database: 1 << 0
        case .listener: 1 << 1
        case .resolver: 1 << 2
        case .network: 1 << 3
        case .certificate: 1 << 4
        case .draining: 1 << 5
        }
    }
}
