public import DeliveryQueue
public import QueueStore
public import Telemetry

// What the queue itself names, as labels of metrics: by its own words.

/// The limit of delivery status notifications that was reached.
extension ReportBudget.Refusal: MetricLabel {
    public static let labelName = "limit"
}

/// States of a queue entry: due now, under way, waiting for its time, or held back by an operator.
extension QueueListing.State: MetricLabel {
    public static let labelName = "state"
}

/// What operators' standing rules do.
extension QueueRule.Action: MetricLabel {
    public static let labelName = "action"
}
