/// A rule that a simulation breaks on purpose, in the store, in what the store tells a node, or in its timers: the checks must find it.
enum BrokenRule: CaseIterable {
    /// The store changes entries for anybody, whatever the term.
    case noFence
    /// The store records a late delivery although a later attempt was begun.
    case lateDeliveryUnchecked
    /// A node writes the final dot as long as it holds the lease at all.
    case noFinalDotMargin
    /// A node writes the final dot though the attempt could not be put on record.
    case unrecordedFinalDot
    /// A node takes an attempt that was interrupted for one that was never made.
    case interruptedIsFresh
    /// A node reckons its lease from the answer, and not from the request.
    case leaseFromAnswer
    /// A node takes another's lease that stood still for less than a renewal takes.
    case impatientWatch
    /// A node forgets an outcome that the database did not take at the first try.
    case outcomeForgotten
    /// A node does not look at the row of a destination in backoff.
    case rowIgnored
    /// A node tells nobody that it gave a recipient up.
    case reportForgotten
    /// A node does not have a delivery recorded that came too late for its term.
    case lateDeliveryForgotten
    /// A node does not ask again whether a destination may go on that may not for the moment.
    case destinationForgotten
}
