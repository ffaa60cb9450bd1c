import DeliveryQueue
import Synchronization

/// Slots that tasks wait for: connections, and rounds of questions to the resolver. `FairLine` says who is next.
///
/// Those who wait are the workers of destinations, and each destination has a bounded number of them. So the
/// destinations under way bound the line here.
package final class FairBudget<Key: Hashable & Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Bool, Never>

    private struct State {
        var line: FairLine<Key>
        var waiting: [UInt64: Waiter] = [:]
        var nextID: UInt64 = 0
        /// Cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    /// - Parameter leavesReserve: see `FairShares`.
    package init(_ slots: Int, leavesReserve: Bool = true) {
        self.state = Mutex(State(line: FairLine(slots, leavesReserve: leavesReserve)))
    }

    /// Waits for a slot; `false`, and nothing to give back, when the task is cancelled first.
    package func acquire(for key: Key) async -> Bool {
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
                    if state.line.take(key) { return true }
                    state.line.append(id, for: key)
                    state.waiting[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            self.cancel(id, key)
        }
    }

    /// Gives a slot back, for those in line.
    package func release(_ key: Key) {
        let admitted = self.state.withLock { state in
            state.line.giveBack(key).compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for waiter in admitted { waiter.resume(returning: true) }
    }

    /// How many stand in line.
    package var waitingCount: Int { self.state.withLock(\.line.count) }

    private func cancel(_ id: UInt64, _ key: Key) {
        let waiter = self.state.withLock { state -> Waiter? in
            guard state.line.remove(id, for: key) else {
                state.cancelled.insert(id)
                return nil
            }
            return state.waiting.removeValue(forKey: id)
        }
        waiter?.resume(returning: false)
    }
}
