public import MailModel

/// The backoff from a recipient domain: until when, and why. It is one row, however much mail waits for the domain
/// (DESIGN §4).
///
/// While it is in force nothing is attempted, and no entry is rewritten. When it ends, one entry is a test delivery. If
/// that fails like the last one, the next step of the schedule begins; otherwise the row goes. Entries whose sender
/// must be told something meanwhile are recorded at each step, without an attempt, for the reason stated here.
public struct DestinationBackoff: Hashable, Sendable {
    /// How it failed last.
    public let failure: DeliveryFailure
    /// How often it failed in a row, at least 1; attempts that were under way together count once.
    public let failures: Int
    /// When it failed first.
    public let since: Timestamp
    /// From then on it is tried again.
    public let until: Timestamp

    /// How far behind the end of a message's life its last attempt may be, however long the waits are.
    private static let longestGrace = Duration.seconds(900)

    /// One that was stored.
    public init(failure: DeliveryFailure, failures: Int, since: Timestamp, until: Timestamp) {
        self.failure = failure
        self.failures = max(1, failures)
        self.since = since
        self.until = until
    }

    /// The one that follows from an attempt.
    ///
    /// It ends with the attempted message's life, if that comes first. So a message alone in its queue has its last
    /// attempt at its end. But it lasts at least for the first wait, or a quarter of an hour if that is shorter.
    /// Otherwise a queue full of old messages would bring as many test deliveries.
    ///
    /// - Parameters:
    ///   - previous: the one before, if the attempt was its test delivery.
    ///   - arrival: when the message was accepted that was attempted.
    public init(
        after previous: DestinationBackoff?, failure: DeliveryFailure, arrival: Timestamp, schedule: RetrySchedule,
        now: Timestamp
    ) {
        let failures = (previous?.failures ?? 0).addingReportingOverflow(1)
        let count = failures.overflow ? Int.max : failures.partialValue
        let step = now + schedule.delay(afterFailures: count, of: failure.failureClass)
        let shortest = now + min(Self.longestGrace, schedule.delay(afterFailures: 1, of: failure.failureClass))
        let expiry = schedule.expiry(arrival: arrival, after: failure)
        self.init(
            failure: failure, failures: count, since: min(previous?.since ?? now, now),
            until: expiry > now ? min(step, max(expiry, shortest)) : step)
    }

    /// The same wait, after it has failed like this.
    func failing(_ failure: DeliveryFailure) -> DestinationBackoff {
        DestinationBackoff(failure: failure, failures: self.failures, since: self.since, until: self.until)
    }

    /// Whether it is in force.
    public func isInForce(at now: Timestamp) -> Bool { now < self.until }

    /// What becomes of an entry that waits for the destination and was not attempted. Its recipients wait on, or are
    /// given up, as if it had failed now like the last test delivery.
    public func decision(
        recipients: Int, schedule: RetrySchedule, arrival: Timestamp, now: Timestamp
    ) -> EntryDecision {
        let isExpired = now >= schedule.expiry(arrival: arrival, after: self.failure)
        let decision: RecipientDecision =
            isExpired
            ? .bounce(self.failure.madePermanent, .expired) : .retry(at: max(self.until, now), because: self.failure)
        return EntryDecision(Array(repeating: decision, count: recipients))
    }
}

/// Which of the entries that wait for a blocked destination get an outcome now.
public struct OverdueCriteria: Hashable, Sendable {
    /// Senders of messages that arrived so early are told of the delay, unless that is settled; `nil` tells nobody.
    public let delayNotice: Timestamp?
    /// Messages that arrived so early are given up.
    public let expiry: Timestamp

    /// What is due at `now` under a schedule, after a failure of this class.
    public init(_ schedule: RetrySchedule, after failureClass: DeliveryFailure.FailureClass, now: Timestamp) {
        self.delayNotice = schedule.delayNotice.map { now + (.zero - $0) }
        self.expiry = now + (.zero - schedule.lifetime(of: failureClass))
    }

    /// Whether an entry is one of them.
    public func matches(arrival: Timestamp, isDelayNotified: Bool) -> Bool {
        if arrival <= self.expiry { return true }
        return !isDelayNotified && self.delayNotice.map { arrival <= $0 } ?? false
    }
}
