public import MailModel

/// What one attempt achieved for one recipient.
public enum RecipientOutcome: Hashable, Sendable {
    /// The peer answered the final dot with 2xx for this recipient.
    case delivered
    /// Anything else; the class of its status says whether for good.
    case failed(DeliveryFailure)
}

/// What becomes of one recipient after an attempt.
public enum RecipientDecision: Hashable, Sendable {
    /// Done; the recipient leaves the queue.
    case delivered
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
        _ outcome: RecipientOutcome, attempts: Int, arrival: Timestamp, now: Timestamp
    ) -> RecipientDecision {
        switch outcome {
        case .delivered:
            return .delivered
        case .failed(let failure) where failure.isPermanent:
            return .bounce(failure, .refused)
        case .failed(let failure):
            let expiry = self.expiry(arrival: arrival, after: failure)
            guard now < expiry else { return .bounce(failure.madePermanent, .expired) }
            // The last attempt is made at the expiry itself, so that no message outlives it by one long wait.
            return .retry(at: min(now + self.delay(afterFailures: attempts), expiry), because: failure)
        }
    }
}

/// What becomes of one queue entry (one message for one domain) after an attempt: the sum of its recipients' decisions.
public struct EntryDecision: Hashable, Sendable {
    /// One decision for each outcome given, in the same order.
    public let recipients: [RecipientDecision]

    /// Decides about all recipients of one attempt.
    public init(
        _ outcomes: [RecipientOutcome], schedule: RetrySchedule, attempts: Int, arrival: Timestamp, now: Timestamp
    ) {
        self.recipients = outcomes.map {
            schedule.decide($0, attempts: attempts, arrival: arrival, now: now)
        }
    }

    /// When the entry is tried again: at the earliest of its recipients' times; `nil` when no recipient remains.
    public var nextAttempt: Timestamp? {
        self.recipients.compactMap { decision in
            if case .retry(let time, _) = decision { time } else { nil }
        }.min()
    }

    /// The reason to show for the entry while it waits.
    public var waitingBecause: DeliveryFailure? {
        .mostTelling(
            self.recipients.compactMap { decision in
                if case .retry(_, let failure) = decision { failure } else { nil }
            })
    }

    /// The indices of the recipients to report in a bounce.
    public var bounced: [Int] {
        self.recipients.indices.filter { index in
            if case .bounce = self.recipients[index] { true } else { false }
        }
    }
}
