import Synchronization

/// One condition of a program's health, by name.
public protocol HealthCheck: RawRepresentable<String>, CaseIterable, Hashable, Sendable {
    /// What a failure stops, for the operator.
    var stops: String { get }
    /// How checks stand before anything was looked at; those that are not here fail.
    static var initial: [Self: HealthStatus] { get }
}

/// One check's state; why it fails is for the operator.
public enum HealthStatus: Equatable, Sendable {
    case passing
    /// It fails, and the program is ready all the same.
    case degraded(String)
    /// It fails, and the program is not ready.
    case failing(String)
}

/// The named conditions of a program's health. Each is set by the part that knows; the HTTP server reads.
public final class HealthChecks<Named: HealthCheck>: Sendable {
    public typealias Check = Named
    public typealias Status = HealthStatus

    private struct State {
        var checks: [Check: Status]
        /// Of checks that are set by turns, the last.
        var turns: [Check: UInt64] = [:]
        var hasStarted = false
        var remarks: [String] = []

        /// A bit for each check that passes.
        var passing: UInt {
            Check.allCases.enumerated().reduce(0) { $0 | (self.checks[$1.element] == .passing ? 1 << $1.offset : 0) }
        }
    }

    /// The bit of each check.
    private let bits: [Check: UInt]
    private let state: Mutex<State>
    /// The checks that pass, for those who ask for each message. Changed under the lock.
    private let passing: Atomic<UInt>

    /// Every check is as it begins, until its owner has reported.
    ///
    /// - Parameter absent: conditions that this program does not have.
    public init(without absent: Set<Check> = []) {
        self.bits = Dictionary(uniqueKeysWithValues: Check.allCases.enumerated().map { ($1, 1 << UInt($0)) })
        let checks = Check.allCases.filter { !absent.contains($0) }.map {
            ($0, Check.initial[$0] ?? .failing("not checked yet"))
        }
        let state = State(checks: Dictionary(uniqueKeysWithValues: checks))
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
    public func isPassing(_ check: Check) -> Bool {
        self.passing.load(ordering: .relaxed) & self.bits[check, default: 0] != 0
    }

    /// What operators want to see beside the checks, and no reason to fail: replaces what was said before.
    public func setRemarks(_ remarks: [String]) { self.state.withLock { $0.remarks = remarks } }

    /// What was said so.
    public var remarks: [String] { self.state.withLock(\.remarks) }

    /// Records that the program's start is complete; `/startupz` says 503 until then.
    public func started() { self.state.withLock { $0.hasStarted = true } }

    /// Whether the start is complete.
    public var hasStarted: Bool { self.state.withLock(\.hasStarted) }

    /// Every check with its state, in the order of declaration.
    public var checks: [(check: Check, status: Status)] {
        let checks = self.state.withLock(\.checks)
        return Check.allCases.compactMap { check in checks[check].map { (check, $0) } }
    }
}
