import MailModel

/// What an attempt showed of the destination as a whole.
public enum DestinationFinding: Hashable, Sendable {
    /// It works: a host answered for some recipient, or the domain has said for good that it takes no mail.
    case answered
    /// Nobody there takes mail at present, whoever it is for.
    case failed(DeliveryFailure)
    /// Nothing: the fault was the message's or ours, or the attempt's outcome is not known.
    case inconclusive
}

/// Whether mail goes to a destination: at first nobody knows, then all of it, one probe, or none.
///
/// ```
/// unknown ──no row──▶ open ◀──answered── probing ◀──row that is over── unknown
///    │                 │ ▲                  │
///    │              failed answered       failed
///    │                 ▼ │                  │
///    └─row in force─▶ blocked ◀─────────────┘
/// ```
struct DestinationGate: Hashable {
    enum State: Hashable {
        case unknown
        case open
        case probing(DestinationBackoff)
        case blocked(DestinationBackoff)
    }

    private(set) var state = State.unknown
    /// Answers so far. An attempt that fails although there was one since it began says nothing: the destination works.
    private(set) var answers = 0

    /// What has become of the gate.
    enum Change: Hashable { case none, opened, blocked }

    /// The destination's row was read. Once known, the state is this owner's to change: a row that is read later may be
    /// older.
    mutating func learned(_ backoff: DestinationBackoff?, isInForce: Bool) {
        guard self.state == .unknown else { return }
        self.state = backoff.map { isInForce ? .blocked($0) : .probing($0) } ?? .open
    }

    /// An attempt that began when there were so many answers has ended.
    mutating func found(
        _ finding: DestinationFinding, since answers: Int, arrival: Timestamp, schedule: RetrySchedule, now: Timestamp
    ) -> Change {
        switch (finding, self.state) {
        case (.answered, .unknown), (.answered, .open):
            self.answers += 1
            self.state = .open
            return .none
        case (.answered, .probing), (.answered, .blocked):
            self.answers += 1
            self.state = .open
            return .opened
        // What was under way when it was blocked counts once, with the attempt that blocked it.
        case (.inconclusive, _), (.failed, .blocked):
            return .none
        case (.failed(let failure), .unknown), (.failed(let failure), .open), (.failed(let failure), .probing):
            guard answers == self.answers else { return .none }
            let next = DestinationBackoff(
                after: self.backoff, failure: failure, arrival: arrival, schedule: schedule, now: now)
            self.state = .blocked(next)
            return .blocked
        }
    }

    /// The row, as it ought to be.
    var backoff: DestinationBackoff? {
        switch self.state {
        case .unknown, .open: nil
        case .probing(let backoff), .blocked(let backoff): backoff
        }
    }

    var isBlocked: Bool { if case .blocked = self.state { true } else { false } }

    var isProbing: Bool { if case .probing = self.state { true } else { false } }
}
