/// The values of `LogKey.event`.
package enum LogEventName: String, Sendable {
    case reception, delivery, bounce, expiration, rejection, admin
    case transientFailure = "transient_failure"
    /// Of the controller: certificates, streams of nodes, its authority and leadership, and calls that failed.
    case enrolment, control, authority, leadership
}
