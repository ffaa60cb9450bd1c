import MailModel
import QueueStore

/// What the witness knows of one entry.
struct EntryLife {
    /// How a recipient left the queue.
    enum Fate { case delivered, givenUp }

    let arrival: Timestamp
    /// Addresses, as they were stored.
    let recipients: [String]
    var fates: [String: Fate] = [:]
    /// Attempts by which the peer took the message, by address.
    var copies: [String: [AttemptName]] = [:]
    /// Attempts that the store counts.
    var attempts = 0
    /// The attempt on record.
    var latest: AttemptName?
    /// The attempts whose final dot was written, by number.
    var dots: [Int: AttemptName] = [:]
    var isDelayAnnounced = false
    /// A delivery was recorded by a former owner.
    var wasDeliveredLate = false
}

/// What the witness knows of one attempt.
struct AttemptLife {
    var isOpened = false
    var isReplyLost = false
    /// When the node found that it may finish, by true time.
    var permitted: MonotonicInstant?
    /// The process was stopped after that, for longer than the margin.
    var isDotLate = false
    /// Its outcome is on record.
    var hasOutcome = false
    /// The node gave it up by itself.
    var isForgotten = false
    /// The recipients whose delivery is on record.
    var delivered: Set<String> = []
}
