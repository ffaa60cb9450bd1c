import Telemetry

/// Operations on the queue.
package enum QueueOperation: String, MetricLabel {
    package static let labelName = "op"
    case enqueue
    case claim
    case beginAttempt = "begin_attempt"
    case recordOutcome = "record_outcome"
    case renewLease = "renew_lease"
}

/// What is committed for many at once.
package enum QueueCommit: String, MetricLabel {
    package static let labelName = "op"
    case enqueue
    case beginAttempt = "begin_attempt"
    case recordOutcome = "record_outcome"
}
