import Synchronization

/// The outbound connections that a node may have, shared out first come, first served.
///
/// Those who wait are the workers of destinations, each destination has a bounded number of them, and so the queue here
/// is bounded by the destinations under way.
final class ConnectionBudget: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ connections: Int) { self.state = Mutex(State(free: connections)) }

    /// Waits for a connection's worth.
    func acquire() async {
        await withCheckedContinuation { continuation in
            let isFree = self.state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    /// Gives it back, to the one who has waited longest.
    func release() {
        let next = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
