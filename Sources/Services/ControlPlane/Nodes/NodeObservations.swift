import ClusterModel
package import ControlStore
import Synchronization

/// What streams tell of nodes, gathered until the next look at the database: one entry for each node.
///
/// A stream never waits for it. What the database did not take is told again.
package final class NodeObservations: Sendable {
    private struct State {
        var seen: [String: NodeObservation] = [:]
        var departed: Set<String> = []
    }

    private let store: ControlStore
    private let replica: String
    private let state = Mutex(State())

    package init(store: ControlStore, replica: String) {
        self.store = store
        self.replica = replica
    }

    func sent(_ version: UInt64, to node: String) {
        self.add(NodeObservation(of: node, by: self.replica, sent: version))
    }

    func acknowledged(_ version: UInt64, by node: String) {
        self.add(NodeObservation(of: node, by: self.replica, acknowledged: version))
    }

    func refused(_ refusal: WatchRefusal, by node: String) {
        self.add(NodeObservation(of: node, by: self.replica, refusal: refusal))
    }

    /// The node follows no stream of this replica any more.
    func departed(_ node: String) { self.state.withLock { _ = $0.departed.insert(node) } }

    /// Tells the database.
    package func flush() async throws(ControlStoreError) {
        let (seen, departed) = self.state.withLock { state in
            defer { state = State() }
            return (state.seen, state.departed)
        }
        do throws(ControlStoreError) {
            if !seen.isEmpty { try await self.store.record(Array(seen.values)) }
            for node in departed { try await self.store.recordDeparture(of: node, from: self.replica) }
        } catch {
            self.state.withLock { state in
                // What came meanwhile is later.
                for (node, older) in seen { state.seen[node] = state.seen[node].map(older.followed) ?? older }
                state.departed.formUnion(departed.filter { state.seen[$0] == nil })
            }
            throw error
        }
    }

    private func add(_ observation: NodeObservation) {
        self.state.withLock { state in
            state.departed.remove(observation.node)
            state.seen[observation.node] = state.seen[observation.node]?.followed(by: observation) ?? observation
        }
    }
}

extension NodeObservation {
    /// This one and a later one of the same node as one.
    fileprivate func followed(by later: NodeObservation) -> NodeObservation {
        // A refusal counts until a later state is taken.
        let isOver = self.refusal.map { $0.stateVersion <= later.acknowledged ?? 0 } ?? true
        return NodeObservation(
            of: self.node, by: later.replica, sent: later.sent ?? self.sent,
            acknowledged: later.acknowledged ?? self.acknowledged,
            refusal: later.refusal ?? (isOver ? nil : self.refusal))
    }
}
