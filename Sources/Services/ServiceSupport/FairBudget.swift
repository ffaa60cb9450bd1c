import DeliveryQueue
import Synchronization

/// Places that tasks wait for: connections, and rounds of questions to the resolver. `FairShares` says who is next.
///
/// Those who wait are the workers of destinations, each destination has a bounded number of them, and so the line here
/// is bounded by the destinations under way.
package final class FairBudget<Key: Hashable & Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        let key: Key
        let resume: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var shares: FairShares<Key>
        var waiting: [Waiter] = []
        var nextID: UInt64 = 0
        /// Cancelled before they began to wait.
        var cancelled: Set<UInt64> = []

        /// Takes those out of the line who may go on.
        mutating func admit() -> [Waiter] {
            var admitted: [Waiter] = []
            while let next = self.shares.next(of: self.waiting.lazy.map(\.key)),
                self.shares.take(self.waiting[next].key)
            {
                admitted.append(self.waiting.remove(at: next))
            }
            return admitted
        }
    }

    private let state: Mutex<State>

    /// - Parameter leavesRoom: see `FairShares`.
    package init(_ places: Int, leavesRoom: Bool = true) {
        self.state = Mutex(State(shares: FairShares(places, leavesRoom: leavesRoom)))
    }

    /// Waits for a place; `false`, and nothing to give back, when the task is cancelled first.
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
                    if state.shares.take(key) { return true }
                    state.waiting.append(Waiter(id: id, key: key, resume: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            self.cancel(id)
        }
    }

    /// Gives a place back, for those in line.
    package func release(_ key: Key) {
        let admitted = self.state.withLock { state in
            state.shares.giveBack(key)
            return state.admit()
        }
        for waiter in admitted { waiter.resume.resume(returning: true) }
    }

    /// Somebody waits who holds no place at all: whoever can, gives one back.
    package var isOwed: Bool {
        self.state.withLock { state in state.waiting.contains { state.shares.count(of: $0.key) == 0 } }
    }

    /// How many stand in line.
    package var waitingCount: Int { self.state.withLock(\.waiting.count) }

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
