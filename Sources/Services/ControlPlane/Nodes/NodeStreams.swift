import GRPCCore
import Synchronization
package import Telemetry

/// The streams of nodes that are open at this replica: one for each node.
package final class NodeStreams: Sendable {
    /// A stream, told of its end.
    struct Ticket: Sendable {
        fileprivate let id: UInt64
        fileprivate let node: String
        /// Has the reason why the stream must end, if it must.
        let end: AsyncStream<RPCError>
    }

    private struct State {
        var next: UInt64 = 0
        var open: [String: (id: UInt64, end: AsyncStream<RPCError>.Continuation)] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())
    private let gauge: Gauge<NoLabels>

    package init(gauge: Gauge<NoLabels>) { self.gauge = gauge }

    /// Opens the stream of a node. An earlier one of the same node ends with ABORTED.
    func open(_ node: String) throws(RPCError) -> Ticket {
        let (end, continuation) = AsyncStream.makeStream(of: RPCError.self, bufferingPolicy: .bufferingOldest(1))
        let (id, earlier) = self.state.withLock { state in
            guard !state.isClosed else { return (UInt64(0), nil as AsyncStream<RPCError>.Continuation?) }
            state.next += 1
            let earlier = state.open.updateValue((state.next, continuation), forKey: node)?.end
            return (state.next, earlier)
        }
        guard id > 0 else { throw Self.closing }
        if let earlier {
            earlier.yield(RPCError(code: .aborted, message: "a later stream of \(node) has taken its place"))
        } else {
            self.gauge.add(1)
        }
        return Ticket(id: id, node: node, end: end)
    }

    /// The stream is over. Whether the node has no other one here.
    @discardableResult
    func close(_ ticket: Ticket) -> Bool {
        let isLast = self.state.withLock { state in
            guard state.open[ticket.node]?.id == ticket.id else { return false }
            state.open[ticket.node] = nil
            return true
        }
        if isLast { self.gauge.add(-1) }
        return isLast
    }

    /// Whether it takes no more.
    package var isClosed: Bool { self.state.withLock(\.isClosed) }

    /// Ends all of them, and takes no more: the replica is shutting down.
    package func closeAll() {
        let open = self.state.withLock { state in
            state.isClosed = true
            return state.open.values.map(\.end)
        }
        for end in open { end.yield(Self.closing) }
    }

    private static var closing: RPCError {
        RPCError(code: .unavailable, message: "this replica is shutting down; ask another one")
    }
}
