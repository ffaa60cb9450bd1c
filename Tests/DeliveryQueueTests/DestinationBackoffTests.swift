import DeliveryQueue
import MailModel
import TestLiterals
import Testing

/// The backoff from a dead destination as one row: how long it lasts, and what becomes of those who wait for it. Times
/// are minutes.
@Suite("Backoff of a destination (DESIGN §4, Storage)")
struct DestinationBackoffTests {
    private static let general = failure(.general, 4, 1)
    private static let security = failure(.security, 7, 323)

    private static func failure(
        _ failureClass: DeliveryFailure.FailureClass, _ subject: UInt16, _ detail: UInt16
    ) -> DeliveryFailure {
        DeliveryFailure(
            failureClass: failureClass, status: EnhancedStatusCode(.persistentTransientFailure, subject, detail),
            reason: .connectionRefused, text: "a text", host: "mx.bravo.test")
    }

    private static func at(_ minutes: Int64) -> Timestamp { Timestamp(seconds: minutes * 60) }

    private static func next(
        _ previous: DestinationBackoff?, at now: Int64, arrival: Int64 = 0, _ failure: DeliveryFailure = general,
        _ schedule: RetrySchedule = .standard
    ) -> DestinationBackoff {
        DestinationBackoff(
            after: previous, failure: failure, arrival: Self.at(arrival), schedule: schedule, now: Self.at(now))
    }

    @Test("It takes the steps of the schedule: 15 min, 15 min more, then hourly")
    func steps() {
        var backoff: DestinationBackoff?
        var now: Int64 = 0
        var ends: [Int64] = []
        for _ in 0..<5 {
            let next = Self.next(backoff, at: now)
            now = next.until.microseconds / 60_000_000
            ends.append(now)
            backoff = next
        }
        #expect(ends == [15, 30, 90, 150, 210])
        #expect(backoff?.failures == 5 && backoff?.since == Self.at(0))
    }

    @Test("It is in force until its end, and not at it")
    func inForce() {
        let backoff = Self.next(nil, at: 0)
        #expect(backoff.isInForce(at: Self.at(14)) && !backoff.isInForce(at: Self.at(15)))
    }

    @Test("It ends with the life of the message that was tried, but never sooner than the shortest wait")
    func endOfLife() {
        let twoDays = DestinationBackoff(
            failure: Self.security, failures: 25, since: Self.at(0), until: Self.at(1410))
        #expect(Self.next(twoDays, at: 1410, Self.security).until == Self.at(1440))
        #expect(Self.next(twoDays, at: 1430, Self.security).until == Self.at(1445))
        // The message is given up now, so its life is no measure any more.
        #expect(Self.next(twoDays, at: 1440, Self.security).until == Self.at(1500))
    }

    @Test("The class of the failure chooses among the waits")
    func classes() throws {
        let schedule = try #require(
            RetrySchedule(delays: [.seconds(60)], securityDelays: [.seconds(600), .seconds(1200)]))
        let first = Self.next(nil, at: 0, Self.security, schedule)
        #expect(first.until == Self.at(10))
        #expect(Self.next(first, at: 10, Self.security, schedule).until == Self.at(30))
        #expect(Self.next(first, at: 10, Self.general, schedule).until == Self.at(11))
    }

    @Test("Who waits is told and given up for the destination's failure, without an attempt of its own")
    func waiting() {
        let backoff = Self.next(nil, at: 1000, Self.security)
        let late = backoff.decision(recipients: 2, schedule: .standard, arrival: Self.at(1), now: Self.at(1000))
        #expect(late.recipients == Array(repeating: .retry(at: Self.at(1015), because: Self.security), count: 2))
        #expect(late.waitingBecause == Self.security)
        let old = backoff.decision(recipients: 1, schedule: .standard, arrival: Self.at(0), now: Self.at(1440))
        #expect(old.recipients == [.bounce(Self.security.madePermanent, .expired)])
        #expect(old.nextAttempt == nil)
    }

    @Test("Overdue is who is to be told of the delay and was not, and who is too old; nobody else is touched")
    func overdue() {
        let criteria = OverdueCriteria(.standard, after: .security, now: Self.at(2000))
        #expect(criteria.matches(arrival: Self.at(560), isDelayNotified: true), "24 h old")
        #expect(!criteria.matches(arrival: Self.at(561), isDelayNotified: true))
        #expect(criteria.matches(arrival: Self.at(1760), isDelayNotified: false), "4 h old")
        #expect(!criteria.matches(arrival: Self.at(1761), isDelayNotified: false))
        let general = OverdueCriteria(.standard, after: .general, now: Self.at(2000))
        #expect(!general.matches(arrival: Self.at(0), isDelayNotified: true), "not 5 d old")
    }

    @Test("Where nobody is told of delays, only age counts")
    func noNotice() throws {
        let schedule = try #require(RetrySchedule(delays: [.seconds(60)], delayNotice: nil))
        let criteria = OverdueCriteria(schedule, after: .general, now: Self.at(2000))
        #expect(!criteria.matches(arrival: Self.at(0), isDelayNotified: false))
    }

    @Test("A database clock that goes back makes no wait negative, and begins no later than now")
    func clockJump() {
        let before = Self.next(nil, at: 1000)
        let after = Self.next(before, at: 400)
        #expect(after.until == Self.at(415) && after.since == Self.at(400))
        let waiting = before.decision(recipients: 1, schedule: .standard, arrival: Self.at(900), now: Self.at(400))
        #expect(waiting.nextAttempt == Self.at(1015))
    }
}

@Suite("Retry policy")
struct RetryPolicyTests {
    @Test("The first rule about a domain counts; all others have the usual schedule")
    func rules() throws {
        let patient = try #require(RetrySchedule(delays: [.seconds(60)]))
        let quick = try #require(RetrySchedule(delays: [.seconds(1)]))
        let below = try #require(DomainPattern("*.bravo.test", domainName: { DomainName($0) }))
        let one: DomainName = "a.bravo.test"
        let policy = RetryPolicy(
            .standard, rules: [RetryPolicy.Rule(below, patient), RetryPolicy.Rule(DomainPattern(one), quick)])
        #expect(policy[one] == patient)
        #expect(policy["bravo.test"] == .standard)
    }
}
