import Admission
import DeliveryQueue
import MailModel
import NodeState
import ServiceSupport

/// When mail is tried again, by the recipient domain.
struct RetrySchedules: Sendable {
    let policy: RetryPolicy
    /// Says which domains have a next hop.
    let state: Replaceable<NodeState>

    subscript(_ domain: DomainName) -> RetrySchedule {
        self.policy[domain, hasNextHop: self.state.current.policy.hasNextHop(domain)]
    }
}
