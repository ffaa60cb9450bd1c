package import DeliveryQueue
package import MailModel
import Synchronization

/// The rules of operators that this node knows, and obeys: read by `StandingRulesWatch`.
package final class StandingRules: Sendable {
    private struct State {
        /// `nil` until they have been read once.
        var rules: QueueRules?
        var changes = 0
    }

    private let state = Mutex(State())
    /// Is told when others are in force; one signal that waits says all that more could say. For one reader.
    let (news, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Whether they have been read. Until then nobody knows which mail must not go: no delivery begins.
    var areKnown: Bool { self.state.withLock { $0.rules != nil } }

    /// How often other rules have come into force, or have ended.
    var changes: Int { self.state.withLock(\.changes) }

    /// The rule that decides about mail to a domain.
    package func governing(
        _ domain: DomainName, isFromNullSender: Bool, at now: @autoclosure () -> Timestamp
    ) -> QueueRule? {
        guard let rules = self.state.withLock(\.rules), !rules.isEmpty else { return nil }
        return rules.governing(domain, isFromNullSender: isFromNullSender, at: now())
    }

    /// Why no attempt may begin, whoever the sender is.
    func suspension(of domain: DomainName, at now: @autoclosure () -> Timestamp) -> QueueRule? {
        self.governing(domain, isFromNullSender: false, at: now()).flatMap { $0.action == .suspend ? $0 : nil }
    }

    /// From now on these are known.
    func replace(with rules: [QueueRule]) {
        self.state.withLock { state in
            state.rules = QueueRules(rules)
            state.changes += 1
        }
        self.signal.yield()
    }
}
