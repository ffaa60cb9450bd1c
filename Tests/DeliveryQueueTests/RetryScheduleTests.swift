import DeliveryQueue
import MailModel
import TestLiterals
import Testing

private let arrival = Timestamp(seconds: 1_700_000_000)

private func failure(
    _ failureClass: DeliveryFailure.FailureClass = .general,
    _ code: EnhancedStatusCode.Class = .persistentTransientFailure,
    reason: FailureReason = .remoteReply, host: String? = "mx.bravo.test"
) -> DeliveryFailure {
    DeliveryFailure(
        failureClass: failureClass, status: EnhancedStatusCode(code, 7, 323), reason: reason, text: "no", host: host)
}

private let taken = AttemptOutcome.delivered(
    Acceptance(host: "mx.bravo.test", reply: "250 OK", takesOverReports: false))

@Suite("Retrying (DESIGN §4)")
struct RetryTests {
    private let schedule = RetrySchedule.standard

    @Test(
        "After 15 min, 15 min more, then hourly",
        arguments: [(1, 900), (2, 900), (3, 3600), (4, 3600), (100, 3600)])
    func delays(_ attempts: Int, _ seconds: Int) {
        let decision = self.schedule.decide(.failed(failure()), attempts: attempts, arrival: arrival, now: arrival)
        #expect(decision == .retry(at: arrival + .seconds(seconds), because: failure()))
    }

    @Test(
        "Expires 24 h after arrival if it failed for DANE or DNSSEC, after 5 d otherwise",
        arguments: [(DeliveryFailure.FailureClass.security, 24), (.general, 120)])
    func expiry(_ failureClass: DeliveryFailure.FailureClass, _ hours: Int) {
        let last = failure(failureClass)
        let end = arrival + .seconds(hours * 3600)
        let before = self.schedule.decide(.failed(last), attempts: 9, arrival: arrival, now: end + .seconds(-1))
        #expect(before == .retry(at: end, because: last))
        let after = self.schedule.decide(.failed(last), attempts: 9, arrival: arrival, now: end)
        #expect(after == .bounce(last.madePermanent, .expired))
        #expect(last.madePermanent.status.description == "5.7.323")
    }

    @Test("A permanent refusal bounces at once, with its own code")
    func permanent() {
        let refused = failure(.general, .permanentFailure)
        let decision = self.schedule.decide(.failed(refused), attempts: 1, arrival: arrival, now: arrival)
        #expect(decision == .bounce(refused, .refused))
    }

    @Test("Three recipients, three outcomes (hostile-input 20)")
    func perRecipient() {
        let later = failure(reason: .connectionLost)
        let decision = EntryDecision(
            [taken, .failed(later), .failed(failure(.general, .permanentFailure))], schedule: self.schedule,
            attempts: 1, arrival: arrival, now: arrival)
        #expect(decision.nextAttempt == arrival + .seconds(900))
        #expect(decision.waitingBecause == later)
        #expect(decision.recipients[2] == .bounce(failure(.general, .permanentFailure), .refused))
    }

    @Test("An entry whose recipients are all done has no next attempt")
    func done() {
        let decision = EntryDecision(
            [taken, taken], schedule: self.schedule, attempts: 1, arrival: arrival, now: arrival)
        #expect(decision.nextAttempt == nil)
    }

    @Test("The most telling reason to wait: security, then what a host said, then the rest; the first of equals")
    func mostTelling() {
        let unreachable = failure(reason: .hostUnreachable, host: nil)
        let first = failure(reason: .remoteReply)
        let second = failure(reason: .protocolViolation)
        let security = failure(.security, reason: .tlsaInvalid)
        #expect(DeliveryFailure.mostTelling([unreachable, first, second]) == first)
        #expect(DeliveryFailure.mostTelling([first, security]) == security)
        #expect(DeliveryFailure.mostTelling([]) == nil)
    }

    @Test("A notice of delay at 4 h, once")
    func delayNotice() {
        let due = arrival + .seconds(4 * 3600)
        #expect(self.schedule.isDelayNoticeDue(arrival: arrival, now: due, alreadySent: false))
        #expect(!self.schedule.isDelayNoticeDue(arrival: arrival, now: due, alreadySent: true))
        #expect(!self.schedule.isDelayNoticeDue(arrival: arrival, now: due + .seconds(-1), alreadySent: false))
    }

    @Test("Where no notice is wanted, none is ever due")
    func noDelayNotice() throws {
        let schedule = try #require(RetrySchedule(delays: [.seconds(1)], delayNotice: nil))
        #expect(!schedule.isDelayNoticeDue(arrival: arrival, now: arrival + .seconds(1_000_000), alreadySent: false))
    }

    @Test("A schedule without a positive delay does not exist")
    func invalid() {
        #expect(RetrySchedule(delays: []) == nil)
        #expect(RetrySchedule(delays: [.zero]) == nil)
    }
}
