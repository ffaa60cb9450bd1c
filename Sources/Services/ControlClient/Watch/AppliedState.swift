package import ClusterModel
package import ControlAPI
package import MailModel
package import NodeState
import Synchronization

/// The state of a controller that a node serves by, and the one way to change it: checked first, and then as a whole (control 5).
package final class AppliedState: Sendable {
    private struct State {
        var resources = ResourceSet()
        /// A state is in force.
        var isInForce = false
    }

    private let state = Mutex(State())
    private let checks: NodeChecks
    /// What the node serves by now.
    private let current: @Sendable () -> NodeState
    /// Makes the node serve by this; throws if it cannot.
    private let apply: @Sendable (NodeStateContent) throws -> Void

    package init(
        checks: NodeChecks, current: @escaping @Sendable () -> NodeState,
        apply: @escaping @Sendable (NodeStateContent) throws -> Void
    ) {
        self.checks = checks
        self.current = current
        self.apply = apply
    }

    /// Whether there is a state to serve by.
    package var isInForce: Bool { self.state.withLock(\.isInForce) }

    package var resources: ResourceSet { self.state.withLock(\.resources) }

    /// Begins with the state that was kept.
    package func begin(with kept: LastGood, at now: MonotonicInstant) throws(ResourceFault) {
        let resources = try ResourceSet(version: kept.version, kept.resources)
        try self.replace { _ throws(ResourceFault) in
            resources
        } at: {
            now
        }
    }

    /// Applies a change, or says why it is refused; then nothing has changed.
    package func take(
        _ change: WatchedChange<ControlResource>, lifetimes: [ResourceKey: Duration] = [:], at now: MonotonicInstant
    ) throws(ResourceFault) {
        try self.replace { current throws(ResourceFault) in
            try current.applying(change, lifetimes: lifetimes, at: now)
        } at: {
            now
        }
    }

    /// Goes on without what has ended with its time, and says whether anything had (control 7). What cannot be dropped stays.
    package func dropEnded(at now: MonotonicInstant) throws(ResourceFault) -> Bool {
        guard let end = self.resources.nextEnd, end <= now else { return false }
        try self.replace { current throws(ResourceFault) in
            current
        } at: {
            now
        }
        return true
    }

    private func replace(
        _ make: (ResourceSet) throws(ResourceFault) -> ResourceSet, at now: () -> MonotonicInstant
    ) throws(ResourceFault) {
        let outcome = self.state.withLock { state in
            Result { () throws(ResourceFault) in
                var next = try make(state.resources)
                let content = try next.content(at: now())
                let fault = self.checks.fault(of: content, replacing: state.isInForce ? self.current() : nil)
                if let fault { throw fault }
                do {
                    try self.apply(content)
                } catch {
                    throw ResourceFault(nil, "\(error)")
                }
                state.resources = next
                state.isInForce = true
            }
        }
        try outcome.get()
    }
}
