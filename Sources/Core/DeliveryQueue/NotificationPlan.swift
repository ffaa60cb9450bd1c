public import MailModel

/// What the sender is told of one recipient after an attempt.
public enum RecipientNotice: Hashable, Sendable {
    /// It was given up.
    case failed(DeliveryFailure, RecipientDecision.GivenUp)
    /// It is late, and is tried until then.
    case delayed(DeliveryFailure, until: Timestamp)
    /// It was handed to a host that makes no reports.
    case relayed(Acceptance)

    /// As reports call it.
    public var action: DeliveryStatusNotification.Action {
        switch self {
        case .failed: .failed
        case .delayed: .delayed
        case .relayed: .relayed
        }
    }
}

/// Of which recipients of an entry the sender is told after an attempt, and what (RFC 3461 §5.2).
///
/// | NOTIFY | given up | late, once per entry | taken by a host without DSN |
/// |---|---|---|---|
/// | not given | failed | delayed | |
/// | `FAILURE` | failed | | |
/// | `DELAY` | | delayed | |
/// | `SUCCESS` | | | relayed |
/// | `NEVER` | | | |
///
/// A host with DSN that took the message was told of NOTIFY, and its reports are no longer ours to make.
public struct NotificationPlan: Hashable, Sendable {
    /// One for each recipient of the entry, in order; `nil` where the sender is told nothing.
    public let notices: [RecipientNotice?]
    /// This was the time to tell of the delay, and no other will be: whoever wants to hear of it does so now.
    public let isDelaySettled: Bool

    /// A plan.
    ///
    /// - Parameters:
    ///   - decision: what became of each recipient.
    ///   - notify: what the sender asked for, recipient by recipient.
    ///   - sender: nobody is told of a message with the null reverse path (RFC 5321 §4.5.5).
    ///   - isDelayNotified: whether that is settled by an earlier attempt.
    public init(
        _ decision: EntryDecision, notify: [NotifyConditions?], sender: ReversePath, schedule: RetrySchedule,
        arrival: Timestamp, now: Timestamp, isDelayNotified: Bool
    ) {
        let isLate = schedule.isDelayNoticeDue(arrival: arrival, now: now, alreadySent: isDelayNotified)
        self.isDelaySettled = isLate && decision.nextAttempt != nil
        guard sender != .null else {
            self.notices = decision.recipients.map { _ in nil }
            return
        }
        self.notices = decision.recipients.enumerated().map { index, recipient in
            // What is not known about a recipient was not asked for.
            let notify = index < notify.count ? notify[index] : nil
            switch recipient {
            case .bounce(let failure, let reason) where notify?.contains(.failure) ?? true:
                return .failed(failure, reason)
            case .retry(_, let failure) where isLate && notify?.contains(.delay) ?? true:
                return .delayed(failure, until: schedule.expiry(arrival: arrival, after: failure))
            case .delivered(let acceptance) where !acceptance.takesOverReports && notify?.contains(.success) ?? false:
                return .relayed(acceptance)
            case .bounce, .retry, .delivered:
                return nil
            }
        }
    }
}
