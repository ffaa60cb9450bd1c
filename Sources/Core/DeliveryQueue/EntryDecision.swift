public import MailModel

/// What becomes of one recipient after an attempt.
public enum RecipientDecision: Hashable, Sendable {
    /// Done; the recipient leaves the queue.
    case delivered(Acceptance)
    /// Stays, to be tried again at this time, for this reason.
    case retry(at: Timestamp, because: DeliveryFailure)
    /// Given up; the sender is told, unless the sender is nobody. The status of the failure is of class 5.
    case bounce(DeliveryFailure, GivenUp)

    /// Why a recipient is given up.
    public enum GivenUp: Hashable, Sendable {
        /// The peer refused for good.
        case refused
        /// The message grew too old.
        case expired
    }
}

extension RetrySchedule {
    /// Decides about one recipient.
    ///
    /// - Parameters:
    ///   - attempts: attempts so far, this one included.
    ///   - arrival: when the message was accepted.
    ///   - now: when the attempt ended.
    public func decide(
        _ outcome: AttemptOutcome, attempts: Int, arrival: Timestamp, now: Timestamp
    ) -> RecipientDecision {
        switch outcome {
        case .delivered(let acceptance):
            return .delivered(acceptance)
        case .failed(let failure) where failure.isPermanent:
            return .bounce(failure, .refused)
        case .failed(let failure):
            let expiry = self.expiry(arrival: arrival, after: failure)
            guard now < expiry else { return .bounce(failure.madePermanent, .expired) }
            // The last attempt is made at the expiry itself, so that no message outlives it by one long wait.
            let step = now + self.delay(afterFailures: attempts, of: failure.failureClass)
            return .retry(at: min(step, expiry), because: failure)
        }
    }
}

/// What becomes of one queue entry (one message for one domain) after an attempt: the sum of its recipients' decisions.
public struct EntryDecision: Hashable, Sendable {
    /// One decision for each outcome given, in the same order.
    public let recipients: [RecipientDecision]
    /// When the entry is tried again: at the earliest of its recipients' times; `nil` when no recipient remains. Each row of
    /// the trace says it, so it is found out once.
    public let nextAttempt: Timestamp?

    /// What was decided elsewhere.
    init(_ recipients: [RecipientDecision]) {
        self.recipients = recipients
        self.nextAttempt =
            recipients.lazy.compactMap { decision in
                if case .retry(let time, _) = decision { time } else { nil }
            }.min()
    }

    /// Decides about all recipients of one attempt.
    public init(
        _ outcomes: [AttemptOutcome], schedule: RetrySchedule, attempts: Int, arrival: Timestamp, now: Timestamp
    ) {
        self.init(outcomes.map { schedule.decide($0, attempts: attempts, arrival: arrival, now: now) })
    }

    /// The same, but whoever is to be tried again is so by this instant: what failed was our own.
    public func retried(by instant: Timestamp) -> EntryDecision {
        EntryDecision(
            self.recipients.map { decision in
                guard case .retry(let time, let failure) = decision else { return decision }
                return .retry(at: min(time, instant), because: failure)
            })
    }

    /// The reason to show for the entry while it waits.
    public var waitingBecause: DeliveryFailure? {
        .mostTelling(
            self.recipients.compactMap { decision in
                if case .retry(_, let failure) = decision { failure } else { nil }
            })
    }
}

extension RecipientDecision {
    /// Whether a host has taken the message for this recipient.
    public var isDelivered: Bool { if case .delivered = self { true } else { false } }
}
