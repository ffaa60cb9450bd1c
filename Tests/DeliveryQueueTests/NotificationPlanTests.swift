import DeliveryQueue
import MailModel
import Testing

/// Who is told of what, after one attempt at an entry that arrived at second 0 (RFC 3461 §5.2).
@Suite("Notification plan (RFC 3461 §5.2)")
struct NotificationPlanTests {
    private static let busy = DeliveryFailure(
        failureClass: .general, status: EnhancedStatusCode(.persistentTransientFailure, 2, 1), reason: .remoteReply,
        text: "busy", reply: "450 4.2.1 Busy", host: "mx.bravo.test")
    private static let unknown = DeliveryFailure(
        failureClass: .general, status: EnhancedStatusCode(.permanentFailure, 1, 1), reason: .remoteReply,
        text: "unknown", reply: "550 5.1.1 Unknown", host: "mx.bravo.test")

    private static func taken(byHostWithDSN hasDSN: Bool) -> AttemptOutcome {
        .delivered(Acceptance(host: "mx.bravo.test", reply: "250 OK", takesOverReports: hasDSN))
    }

    private static let all: NotifyConditions = [.success, .failure, .delay]

    private func plan(
        _ outcomes: [AttemptOutcome], notify: [NotifyConditions?], atHour hour: Int64 = 0,
        from sender: String = "<alice@alpha.test>", alreadyTold: Bool = false
    ) throws -> NotificationPlan {
        let arrival = Timestamp(seconds: 0)
        let now = Timestamp(seconds: hour * 3600)
        let decision = EntryDecision(outcomes, schedule: .standard, attempts: 1, arrival: arrival, now: now)
        return NotificationPlan(
            decision, notify: notify, sender: try #require(ReversePath(sender)), schedule: .standard, arrival: arrival,
            now: now, isDelayNotified: alreadyTold)
    }

    private func actions(
        _ outcome: AttemptOutcome, _ notify: NotifyConditions?, atHour hour: Int64 = 0
    ) throws -> DeliveryStatusNotification.Action? {
        try self.plan([outcome], notify: [notify], atHour: hour).notices[0]?.action
    }

    @Test(
        "A failure is told unless NOTIFY leaves it out",
        arguments: [(nil, true), (.failure, true), (all, true), (.success, false), (.delay, false), (.never, false)]
            as [(NotifyConditions?, Bool)])
    func failure(_ notify: NotifyConditions?, _ isTold: Bool) throws {
        #expect(try self.actions(.failed(Self.unknown), notify) == (isTold ? .failed : nil))
        // An expiry is a failure as well: five days on, "busy" has become final.
        #expect(try self.actions(.failed(Self.busy), notify, atHour: 120) == (isTold ? .failed : nil))
    }

    @Test("An expiry is told with the last failure, made permanent")
    func expiry() throws {
        let notice = try self.plan([.failed(Self.busy)], notify: [nil], atHour: 120).notices[0]
        #expect(notice == .failed(Self.busy.madePermanent, .expired))
    }

    @Test(
        "Success is told only where it was asked for, and by the last host with DSN",
        arguments: [(nil, false), (.failure, false), (.success, true), (all, true), (.never, false)]
            as [(NotifyConditions?, Bool)])
    func relayed(_ notify: NotifyConditions?, _ isTold: Bool) throws {
        #expect(try self.actions(Self.taken(byHostWithDSN: false), notify) == (isTold ? .relayed : nil))
        #expect(try self.actions(Self.taken(byHostWithDSN: true), notify) == nil)
    }

    @Test(
        "A delay is told from 4 h on, unless NOTIFY leaves it out",
        arguments: [(nil, true), (.delay, true), (all, true), (.failure, false), (.success, false), (.never, false)]
            as [(NotifyConditions?, Bool)])
    func delay(_ notify: NotifyConditions?, _ isTold: Bool) throws {
        #expect(try self.actions(.failed(Self.busy), notify, atHour: 3) == nil)
        #expect(try self.actions(.failed(Self.busy), notify, atHour: 4) == (isTold ? .delayed : nil))
    }

    @Test("A delay is told once, and says until when the message is tried")
    func delayOnce() throws {
        let first = try self.plan([.failed(Self.busy)], notify: [nil], atHour: 5)
        #expect(first.notices == [.delayed(Self.busy, until: Timestamp(seconds: 120 * 3600))])
        #expect(first.isDelaySettled)
        let second = try self.plan([.failed(Self.busy)], notify: [nil], atHour: 6, alreadyTold: true)
        #expect(second.notices == [nil] && !second.isDelaySettled)
    }

    @Test("A delay that nobody wants to hear of is settled all the same, and one that is over is not")
    func unwantedDelay() throws {
        #expect(try self.plan([.failed(Self.busy)], notify: [.never], atHour: 5).isDelaySettled)
        #expect(try !self.plan([.failed(Self.busy)], notify: [nil], atHour: 3).isDelaySettled)
        #expect(try !self.plan([.failed(Self.busy)], notify: [nil], atHour: 120).isDelaySettled)
    }

    @Test("Each recipient has its own fate and its own wishes")
    func mixed() throws {
        let outcomes = [
            Self.taken(byHostWithDSN: false), .failed(Self.unknown), .failed(Self.busy), .failed(Self.unknown),
        ]
        let plan = try self.plan(outcomes, notify: [Self.all, nil, .delay, .never], atHour: 4)
        #expect(plan.notices.map { $0?.action } == [.relayed, .failed, .delayed, nil])
    }

    @Test("hostile-input 14: of a message with the null reverse path nobody is told anything (RFC 5321 §4.5.5)")
    func nullSender() throws {
        let outcomes = [Self.taken(byHostWithDSN: false), .failed(Self.unknown), .failed(Self.busy)]
        let plan = try self.plan(outcomes, notify: [Self.all, Self.all, Self.all], atHour: 4, from: "<>")
        #expect(plan.notices == [nil, nil, nil])
    }
}
