public import ClusterModel
public import DeliveryQueue
public import MailModel

/// What became of one attempt at one entry, with all that is to be recorded of it in one transaction.
public struct RecordedOutcome: Sendable {
    /// Where the entry goes.
    public enum Result: Sendable {
        /// No recipient remains: all were delivered or given up.
        case removed
        /// These recipients remain, to be tried again then.
        case retry(at: Timestamp, recipients: [QueueRecipient], because: DeliveryFailure, isDelayNotified: Bool)
    }

    /// The entry, as it was claimed.
    public var entry: QueueEntry
    /// The term in which the attempt was made.
    public var epoch: Epoch
    /// Where the entry goes.
    public var result: Result
    /// One event for each thing that happened.
    public var events: [TraceEvent]
    /// Messages that come of it, such as a bounce: queued in the same transaction, or not at all.
    public var notifications: [AcceptedMessage]
    /// What the row of the entry's destination says from now on; `nil` leaves it as it is.
    public var destinationChange: DestinationChange?

    /// An outcome.
    public init(
        entry: QueueEntry, epoch: Epoch, result: Result, events: [TraceEvent], notifications: [AcceptedMessage] = []
    ) {
        self.entry = entry
        self.epoch = epoch
        self.result = result
        self.events = events
        self.notifications = notifications
    }

    var term: ShardTerm { ShardTerm(shard: self.entry.key.shard, epoch: self.epoch) }
}
