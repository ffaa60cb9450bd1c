public import MailModel

/// How long a lease lasts and how it is kept.
public struct LeaseTerms: Hashable, Sendable {
    /// How long the database honours a lease after a renewal.
    public let timeToLive: Duration
    /// How often the owner renews.
    public let renewalInterval: Duration
    /// The least time that must be left when the final dot of a message is written.
    public let finalDotMargin: Duration

    /// Terms; the defaults are 10 s, 3 s and 2 s.
    public init(
        timeToLive: Duration = .seconds(10), renewalInterval: Duration = .seconds(3),
        finalDotMargin: Duration = .seconds(2)
    ) {
        self.timeToLive = timeToLive
        self.renewalInterval = renewalInterval
        self.finalDotMargin = finalDotMargin
    }
}

/// The number of a term of ownership of a shard. A takeover raises it, and with it every right of the former owner ends.
public struct Epoch: RawRepresentable, Hashable, Comparable, Sendable {
    /// Counts the terms of one shard from 1.
    public let rawValue: Int64

    /// The epoch of this number.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// The earlier term is less.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What an owner may believe of its lease on one shard, without asking the database.
///
/// The deadline counts from the *sending* of the request that the database granted, which is never later than the
/// grant. So the owner stops before anyone else may start.
public struct Lease: Hashable, Sendable {
    /// The shard owned.
    public let shard: Shard
    /// The term of ownership.
    public let epoch: Epoch
    /// The lease is certainly over for others at this moment or later, never earlier.
    public private(set) var deadline: MonotonicInstant
    private let terms: LeaseTerms
    private var lastSent: MonotonicInstant

    /// A lease that the database granted to a request sent at `sentAt`.
    public init(shard: Shard, epoch: Epoch, sentAt: MonotonicInstant, terms: LeaseTerms = LeaseTerms()) {
        self.shard = shard
        self.epoch = epoch
        self.terms = terms
        self.lastSent = sentAt
        self.deadline = sentAt + terms.timeToLive
    }

    /// The database granted a renewal that was sent at `sentAt`. An answer that arrives out of order changes nothing.
    public mutating func renewed(sentAt: MonotonicInstant) {
        guard sentAt > self.lastSent else { return }
        self.lastSent = sentAt
        self.deadline = sentAt + self.terms.timeToLive
    }

    /// Whether the shard may still be worked on.
    public func isHeld(at now: MonotonicInstant) -> Bool { now < self.deadline }

    /// Whether the final dot of a message may be written: enough of the lease must be left to hear the answer.
    public func permitsFinalDot(at now: MonotonicInstant) -> Bool {
        now + self.terms.finalDotMargin <= self.deadline
    }
}
