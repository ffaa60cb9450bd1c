public import MailModel

/// What an attempt showed of the destination as a whole.
public enum DestinationFinding: Hashable, Sendable {
    /// It works: a host answered for some recipient, or the domain has said for good that it takes no mail.
    case answered
    /// Nobody there takes mail at present, whoever it is for.
    case failed(DeliveryFailure)
    /// A host closed the session with a 421 at MAIL or later: the message's own failure, as long as few senders met it.
    case closed(DeliveryFailure, sender: String)
    /// Nothing: the fault was the message's or ours, or the attempt's outcome is not known.
    case inconclusive
}

/// How often hosts have closed the session upon a message, without an answer in between.
public struct SessionClosings: Hashable, Sendable {
    /// From so many senders on it is no longer about one of them.
    static let senders = 3
    /// From so many messages on it is not, whoever sent them: each of them costs a connection.
    static let messages = 100

    private var met: Set<String> = []
    private var count = 0

    /// It has not happened.
    public init() {}

    /// It has not happened since the last answer.
    public var isEmpty: Bool { self.count == 0 }

    /// It happened to a message of this sender. Whether the destination as a whole has failed.
    public mutating func add(_ sender: String) -> Bool {
        self.met.insert(sender)
        self.count += 1
        return self.met.count >= Self.senders || self.count >= Self.messages
    }
}

/// Whether mail goes to a destination: at first nobody knows, then all of it, one test delivery, or none.
///
/// ```
/// unknown ──no row──▶ open ◀──answered── testing ◀──row that is over── unknown
///    │                 │ ▲                  │
///    │              failed answered       failed
///    │                 ▼ │                  │
///    └─row in force─▶ blocked ◀─────────────┘
/// ```
struct DestinationGate: Hashable {
    enum State: Hashable {
        case unknown
        case open
        case testing(DestinationBackoff, isEarly: Bool)
        case blocked(DestinationBackoff)
    }

    private(set) var state = State.unknown
    /// Answers so far. An attempt that fails although there was one since it began says nothing: the destination works.
    private(set) var answers = 0
    /// Since the last answer.
    private(set) var closings: SessionClosings
    private let testsEarly: Bool

    /// - Parameters:
    ///   - testsEarly: make a test delivery though the row is in force.
    ///   - closings: those that earlier runs have met.
    init(testsEarly: Bool = false, closings: SessionClosings = SessionClosings()) {
        self.testsEarly = testsEarly
        self.closings = closings
    }

    /// What has become of the gate; `stillBlocked` is as its row says already.
    enum Change: Hashable { case none, opened, blocked, stillBlocked }

    /// The destination's row was read. Once known, the state is this owner's to change: a row that is read later may be
    /// older.
    mutating func learned(_ backoff: DestinationBackoff?, isInForce: Bool) {
        guard self.state == .unknown else { return }
        guard let backoff else {
            self.state = .open
            return
        }
        self.state =
            isInForce && !self.testsEarly ? .blocked(backoff) : .testing(backoff, isEarly: isInForce)
    }

    /// An attempt that began when there were so many answers has ended.
    mutating func found(
        _ finding: DestinationFinding, since answers: Int, arrival: Timestamp, schedule: RetrySchedule, now: Timestamp
    ) -> Change {
        switch finding {
        case .answered:
            let wasShut = self.isTesting || self.isBlocked
            self.answers += 1
            self.state = .open
            self.closings = SessionClosings()
            return wasShut ? .opened : .none
        case .inconclusive: return self.testEnded()
        case .closed(let failure, let sender):
            guard self.saysSomethingNew(since: answers), self.closings.add(sender) else { return self.testEnded() }
            return self.fail(failure, arrival, schedule, now)
        case .failed(let failure):
            guard self.saysSomethingNew(since: answers) else { return .none }
            return self.fail(failure, arrival, schedule, now)
        }
    }

    /// A test before its time has shown nothing, and is not repeated.
    mutating func testEnded() -> Change {
        guard case .testing(let backoff, isEarly: true) = self.state else { return .none }
        self.state = .blocked(backoff)
        return .stillBlocked
    }

    /// What was under way when there was an answer says nothing new; with what was when it was blocked, that has counted
    /// once.
    private func saysSomethingNew(since answers: Int) -> Bool { !self.isBlocked && answers == self.answers }

    private mutating func fail(
        _ failure: DeliveryFailure, _ arrival: Timestamp, _ schedule: RetrySchedule, _ now: Timestamp
    ) -> Change {
        self.closings = SessionClosings()
        if case .testing(let backoff, isEarly: true) = self.state, backoff.isInForce(at: now) {
            // A test before its time takes no step of the schedule.
            self.state = .blocked(backoff.failing(failure))
        } else {
            self.state = .blocked(
                DestinationBackoff(
                    after: self.backoff, failure: failure, arrival: arrival, schedule: schedule, now: now))
        }
        return .blocked
    }

    /// The row, as it ought to be.
    var backoff: DestinationBackoff? {
        switch self.state {
        case .unknown, .open: nil
        case .testing(let backoff, _), .blocked(let backoff): backoff
        }
    }

    var isBlocked: Bool { if case .blocked = self.state { true } else { false } }

    var isTestingEarly: Bool { if case .testing(_, isEarly: true) = self.state { true } else { false } }

    var isTesting: Bool { if case .testing = self.state { true } else { false } }
}
