/// The values of `LogKey.event`.
package enum LogEventName: String, Sendable {
    case reception, delivery, bounce, expiration, rejection, admin
    case transientFailure = "transient_failure"
    /// Of the controller: certificates that were asked for, its leadership, and what it could not do.
    case enrolment, control, leadership
}
