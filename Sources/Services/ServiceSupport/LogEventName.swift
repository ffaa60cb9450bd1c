/// The values of `LogKey.event`.
package enum LogEventName: String, Sendable {
    case reception, delivery, bounce, expiration, rejection, admin
    case transientFailure = "transient_failure"
}
