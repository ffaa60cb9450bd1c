package import ServiceSupport
import Synchronization
import TLSEngine

/// The state that a node serves by, and the one way to replace it, whatever its source is.
package final class StateInForce: Sendable {
    private struct Parts {
        var content: NodeStateContent
        var local: LocalState
        var observers: [@Sendable (_ old: NodeState, _ new: NodeState) -> Void] = []
    }

    package let state: Replaceable<NodeState>
    private let parts: Mutex<Parts>

    package init(_ content: NodeStateContent, _ local: LocalState) throws {
        self.state = Replaceable(try NodeState(content, local))
        self.parts = Mutex(Parts(content: content, local: local))
    }

    /// Calls this after each replacement from now on, with the states before and after it.
    package func observe(_ observer: @escaping @Sendable (_ old: NodeState, _ new: NodeState) -> Void) {
        self.parts.withLock { $0.observers.append(observer) }
    }

    /// Replaces what is the source's; certificates and authorities that are the same keep their sessions.
    package func replace(content: NodeStateContent) throws {
        try self.replace { parts, current throws(TLSConfigurationError) in
            parts.content = content
            return try NodeState(content, parts.local, replacing: current)
        }
    }

    /// Replaces what is the node's own, and that of the source too if it is given.
    package func replace(local: LocalState, content: NodeStateContent? = nil) throws {
        try self.replace { parts, _ throws(TLSConfigurationError) in
            parts.local = local
            parts.content = content ?? parts.content
            return try NodeState(parts.content, local)
        }
    }

    private func replace(
        _ make: (inout Parts, NodeState) throws(TLSConfigurationError) -> NodeState
    ) throws {
        let (old, new, observers) = try self.parts.withLock { parts in
            let current = self.state.current
            var next = parts
            let state = try make(&next, current).following(current)
            parts = next
            self.state.replace(with: state)
            return (current, state, parts.observers)
        }
        for observer in observers { observer(old, new) }
    }
}
