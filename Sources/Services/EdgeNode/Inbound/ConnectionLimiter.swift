import MailModel
import NIOCore
import Synchronization

/// Counts the client connections of a node, and refuses those over a limit.
final class ConnectionLimiter: Sendable {
    /// The most connections at once, in all and from one address.
    struct Limits: Hashable, Sendable {
        var total: Int
        var perAddress: Int
    }

    /// What becomes of a new connection.
    enum Admission: Equatable {
        case admitted, overLimit, draining
    }

    private struct State {
        var total = 0
        var perAddress: [IPAddress: Int] = [:]
        var isDraining = false
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits) { self.limits = limits }

    /// Counts a connection, if there is room for it.
    func admit(_ address: IPAddress) -> Admission {
        self.state.withLock { state in
            if state.isDraining { return .draining }
            let ofAddress = state.perAddress[address, default: 0]
            guard state.total < self.limits.total, ofAddress < self.limits.perAddress else { return .overLimit }
            state.total += 1
            state.perAddress[address] = ofAddress + 1
            return .admitted
        }
    }

    /// Forgets a connection that was admitted.
    func closed(_ address: IPAddress) {
        self.state.withLock { state in
            state.total -= 1
            let rest = state.perAddress[address, default: 1] - 1
            state.perAddress[address] = rest > 0 ? rest : nil
        }
    }

    /// Whether nobody is admitted any more.
    var isDraining: Bool { self.state.withLock { $0.isDraining } }

    /// Admits nobody any more.
    func drain() { self.state.withLock { $0.isDraining = true } }
}
