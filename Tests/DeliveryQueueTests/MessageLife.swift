import DeliveryQueue
import MailModel
import Testing

/// The life of one message for one domain on a manual clock: it arrives at 0:00, and is attempted whenever the queue
/// says. What becomes of it is told line by line, such as `4:30 bob deferred 4.2.1` or `24:00 told alice failed
/// 5.7.323`.
///
/// All decisions are the product's own; a story says only how each attempt ends.
struct MessageLife {
    /// How an attempt ends for one recipient.
    typealias World = (_ time: Clock, _ recipient: String) -> AttemptOutcome

    /// Hours and minutes since arrival.
    struct Clock: Hashable, Comparable, CustomStringConvertible, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral
    {
        var minutes: Int64
        init(minutes: Int64) { self.minutes = minutes }
        init(integerLiteral hours: Int64) { self.init(minutes: hours * 60) }
        init(floatLiteral hours: Double) { self.init(minutes: Int64((hours * 60).rounded())) }
        static func < (left: Self, right: Self) -> Bool { left.minutes < right.minutes }
        var description: String { "\(self.minutes / 60):\(self.minutes % 60 < 10 ? "0" : "")\(self.minutes % 60)" }
    }

    private struct Recipient {
        let name: String
        let notify: NotifyConditions?
    }

    let schedule: RetrySchedule
    private let sender: ReversePath
    private var recipients: [Recipient]
    private var isDelayNotified = false
    private var attempts = 0
    /// When it is tried next; `nil` at the end of its life.
    private(set) var next: Clock? = 0
    /// What happened.
    private(set) var log: [String] = []
    /// When it was attempted.
    private(set) var times: [Clock] = []

    private static let arrival = Timestamp(seconds: 1_700_000_000)

    init(
        _ recipients: KeyValuePairs<String, NotifyConditions?> = ["bob": nil],
        from sender: String = "<alice@alpha.test>",
        schedule: RetrySchedule = .standard
    ) {
        self.schedule = schedule
        self.sender = ReversePath(sender) ?? .null
        self.recipients = recipients.map { Recipient(name: $0.key, notify: $0.value) }
    }

    /// Lives until no recipient is left, or until `end`.
    mutating func live(until end: Clock = 1000, _ world: World) {
        while let next, next <= end { self.attempt(at: next, world) }
    }

    /// One attempt, at a time of the story's choice: a test delivery, a restart, a clock that was set.
    mutating func attempt(at time: Clock, _ world: World) {
        let now = Self.arrival + .seconds(time.minutes * 60)
        self.attempts += 1
        self.times.append(time)
        let decision = EntryDecision(
            self.recipients.map { world(time, $0.name) }, schedule: self.schedule, attempts: self.attempts,
            arrival: Self.arrival, now: now)
        self.record(decision, at: time, now)
    }

    /// Another message was the test delivery of a blocked destination, and this one gets its outcome with it.
    mutating func wait(at time: Clock, for backoff: (_ now: Timestamp) -> DestinationBackoff) {
        let now = Self.arrival + .seconds(time.minutes * 60)
        let decision = backoff(now).decision(
            recipients: self.recipients.count, schedule: self.schedule, arrival: Self.arrival, now: now)
        self.record(decision, at: time, now)
    }

    private mutating func record(_ decision: EntryDecision, at time: Clock, _ now: Timestamp) {
        let plan = NotificationPlan(
            decision, notify: self.recipients.map(\.notify), sender: self.sender, schedule: self.schedule,
            arrival: Self.arrival, now: now, isDelayNotified: self.isDelayNotified)
        var remaining: [Recipient] = []
        for (index, recipient) in self.recipients.enumerated() {
            self.log.append("\(time) \(recipient.name) \(Self.words(decision.recipients[index]))")
            if let notice = plan.notices[index] {
                self.log.append("\(time) told of \(recipient.name): \(Self.words(notice))")
            }
            if case .retry = decision.recipients[index] { remaining.append(recipient) }
        }
        self.recipients = remaining
        self.isDelayNotified = self.isDelayNotified || plan.isDelaySettled
        self.next = decision.nextAttempt.map { Self.clock($0) }
    }

    /// What the sender was told.
    var told: [String] { self.log.filter { $0.contains("told of") } }

    private static func clock(_ time: Timestamp) -> Clock {
        Clock(minutes: (time - self.arrival).components.seconds / 60)
    }

    private static func words(_ decision: RecipientDecision) -> String {
        switch decision {
        case .delivered: "delivered"
        case .retry(_, let failure): "deferred \(failure.status)"
        case .bounce(let failure, let reason): "\(reason) \(failure.status)"
        }
    }

    private static func words(_ notice: RecipientNotice) -> String {
        switch notice {
        case .failed(let failure, _): "failed \(failure.status)"
        case .delayed(let failure, let until): "delayed \(failure.status) until \(self.clock(until))"
        case .relayed: "relayed"
        }
    }
}

// MARK: - The words of a story

extension AttemptOutcome {
    /// The host took it.
    static let taken = AttemptOutcome.delivered(Acceptance(host: "mx1", reply: "250 OK", takesOverReports: false))
    /// `450 4.2.1`.
    static let busy = AttemptOutcome.failed(.of("4.2.1", .remoteReply))
    /// `550 5.1.1`.
    static let unknown = AttemptOutcome.failed(.of("5.1.1", .remoteReply))
    /// No host answers.
    static let unreachable = AttemptOutcome.failed(.of("4.4.1", .connectionTimeout, host: nil))
    /// No TLSA record matches.
    static let tlsaInvalid = AttemptOutcome.failed(.of("4.7.323", .tlsaInvalid, .security))
    /// The DNS is bogus.
    static let bogus = AttemptOutcome.failed(.of("4.7.324", .dnssecInvalid, .security, host: nil))
}

extension DeliveryFailure {
    static func of(
        _ status: String, _ reason: FailureReason, _ failureClass: FailureClass = .general, host: String? = "mx1"
    ) -> DeliveryFailure {
        guard let status = EnhancedStatusCode(status) else { preconditionFailure("a story has a bad code: \(status)") }
        return DeliveryFailure(
            failureClass: failureClass, status: status, reason: reason, text: reason.text, host: host)
    }
}
