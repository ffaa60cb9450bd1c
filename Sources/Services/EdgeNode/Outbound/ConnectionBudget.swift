import Synchronization

/// The outbound connections that a node may have, shared out first come, first served.
///
/// Those who wait are the workers of destinations, each destination has a bounded number of them, and so the queue here
/// is bounded by the destinations under way.
final class ConnectionBudget: Sendable {
    private typealias Waiter = (id: UInt64, resume: CheckedContinuation<Bool, Never>)

    private struct State {
        var free: Int
        var waiting: [Waiter] = []
        var nextID: UInt64 = 0
        /// Cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    init(_ connections: Int) { self.state = Mutex(State(free: connections)) }

    /// Waits for a connection's worth; `false`, and nothing to give back, when the task is cancelled first.
    func acquire() async -> Bool {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        // A cancellation that came when it was ours already is of no interest any more.
        defer { self.state.withLock { _ = $0.cancelled.remove(id) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = self.state.withLock { state -> Bool? in
                    if state.cancelled.remove(id) != nil { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            self.cancel(id)
        }
    }

    /// Gives it back, to the one who has waited longest.
    func release() {
        let next = self.state.withLock { state -> Waiter? in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume.resume(returning: true)
    }

    private func cancel(_ id: UInt64) {
        let waiter = self.state.withLock { state -> Waiter? in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.waiting.remove(at: index)
        }
        waiter?.resume.resume(returning: false)
    }
}
