import ClusterModel
public import MailModel
import PostgresDriver

/// One entry, as an operator sees it.
public struct QueueListing: Hashable, Sendable {
    /// Where entries are stored.
    public enum Place: String, Hashable, Sendable, CaseIterable {
        /// The table of what is due within the hour, or in delivery.
        case ready
        /// The table of what waits an hour or more.
        case deferred
        /// Held back by an operator.
        case held
    }

    /// What an entry does, by what is true of it now, wherever it is stored.
    public enum State: String, Hashable, Sendable, CaseIterable {
        /// Due now.
        case ready
        /// An attempt is under way.
        case active
        /// Waiting for its time, or for that of its destination.
        case deferred
        /// Held back by an operator.
        case held
    }

    /// What the trace says of the last attempt, or what is known of the destination in backoff.
    public struct LastAttempt: Hashable, Sendable {
        /// What the host had to prove, such as `authenticate`.
        public let requirement: String?
        /// The peer's reply, or our own words.
        public let reply: String?

        package init(requirement: String?, reply: String?) {
            self.requirement = requirement
            self.reply = reply
        }
    }

    /// What its node says of an attempt that takes longer than a moment.
    public struct Activity: Hashable, Sendable {
        /// What the attempt does, such as `look-up`.
        public let stage: String
        /// At which host.
        public let host: String?
        /// Since when.
        public let began: Timestamp

        package init(stage: String, host: String?, began: Timestamp) {
            self.stage = stage
            self.host = host
            self.began = began
        }
    }

    /// Which one.
    public let key: EntryKey
    /// Where it is stored.
    public let place: Place
    /// What it does.
    public let state: State
    /// An attempt is on record without an outcome: nobody but its node may change the entry.
    public let isOnRecord: Bool
    /// What its node is doing about it.
    public let activity: Activity?
    /// What the deliveries of its destination wait for, such as `resolver`.
    public let waitsFor: String?
    /// Why an operator has suspended deliveries to its domain, if that is so.
    public let suspendedBecause: String?
    /// The reverse path; empty for the null sender.
    public let sender: String
    /// The recipients that remain.
    public let recipients: [QueueRecipient]
    /// The size of the content in bytes.
    public let size: Int
    /// When it was stored.
    public let arrival: Timestamp
    /// When it is or was due, or, if that is later, the end of its destination's backoff or suspension. It is `nil`
    /// while it is held, and while it is suspended until an operator resumes it.
    public let nextAttempt: Timestamp?
    /// Attempts made and recorded.
    public let attempts: Int
    /// The code of the last failure; before the first attempt, of the failure for which its destination is in backoff.
    public let lastStatus: String?
    /// The name of the same failure.
    public let lastReason: String?
    /// An operator's reason, possibly empty, to give it up; its owner will.
    public let verdict: String?
    /// The node that owns its shard.
    public let node: String?
    /// Where that was asked for, and something is known.
    public let lastAttempt: LastAttempt?

    package init(
        key: EntryKey, place: Place, state: State, isOnRecord: Bool, activity: Activity?, waitsFor: String?,
        suspendedBecause: String?, sender: String, recipients: [QueueRecipient], size: Int, arrival: Timestamp,
        nextAttempt: Timestamp?, attempts: Int, lastStatus: String?, lastReason: String?, verdict: String?,
        node: String?, lastAttempt: LastAttempt?
    ) {
        self.key = key
        self.place = place
        self.state = state
        self.isOnRecord = isOnRecord
        self.activity = activity
        self.waitsFor = waitsFor
        self.suspendedBecause = suspendedBecause
        self.sender = sender
        self.recipients = recipients
        self.size = size
        self.arrival = arrival
        self.nextAttempt = nextAttempt
        self.attempts = attempts
        self.lastStatus = lastStatus
        self.lastReason = lastReason
        self.verdict = verdict
        self.node = node
        self.lastAttempt = lastAttempt
    }
}

/// Where a walk through the queue has come to.
public struct QueueCursor: Hashable, Sendable {
    let shard: Int16
    let message: MessageID
    let domain: String

    static let start = QueueCursor(shard: -1, message: MessageID(high: 0, low: 0), domain: "")

    init(shard: Int16, message: MessageID, domain: String) {
        self.shard = shard
        self.message = message
        self.domain = domain
    }

    /// Right behind an entry.
    public init(after key: EntryKey) {
        self.init(shard: key.shard.rawValue, message: key.message, domain: key.domain.text)
    }

    /// A text that `init(_:)` reads.
    public var text: String { "\(self.shard).\(self.message).\(self.domain)" }

    /// Reads a cursor; `nil` if it is none.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let shard = Int16(parts[0]), let message = MessageID(parts[1]),
            let domain = DomainName(String(parts[2]))
        else { return nil }
        self.init(shard: shard, message: message, domain: domain.text)
    }
}

/// A part of the queue, in the order of keys.
public struct QueuePage: Sendable {
    /// Those that were selected.
    public let entries: [QueueListing]
    /// Where to go on; `nil` at the end. A page without entries may have one.
    public let next: QueueCursor?

    package init(entries: [QueueListing], next: QueueCursor?) {
        self.entries = entries
        self.next = next
    }
}
