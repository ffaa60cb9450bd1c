import DeliveryQueue
import MailModel
import Testing

/// Lives of messages on a manual clock, from arrival to the end (DESIGN §4, Retrying).
@Suite("Life of a message")
struct MessageLifeTests {
    private typealias Clock = MessageLife.Clock

    /// 0:00, 0:15, 0:30, then every hour, and the last attempt at the end itself.
    private static func defaultSteps(until end: Clock) -> [Clock] {
        [0, 0.25] + stride(from: Clock(0.5).minutes, to: end.minutes, by: 60).map { Clock(minutes: $0) } + [end]
    }

    // MARK: Steps and expiry

    @Test(
        "The default schedule, step by step: given up after 24 h for DANE or DNSSEC, after 5 d otherwise",
        arguments: [
            (AttemptOutcome.tlsaInvalid, 24 as Int64, "5.7.323"), (.bogus, 24, "5.7.324"), (.busy, 120, "5.2.1"),
            (.unreachable, 120, "5.4.1"),
        ])
    func everyStep(_ outcome: AttemptOutcome, _ hours: Int64, _ code: String) {
        var life = MessageLife()
        life.live { _, _ in outcome }
        #expect(life.times == Self.defaultSteps(until: Clock(integerLiteral: hours)))
        #expect(life.log.suffix(2) == ["\(hours):00 bob expired \(code)", "\(hours):00 told of bob: failed \(code)"])
        #expect(life.next == nil)
    }

    @Test("A refusal for good ends it at once, with its own code")
    func refusal() {
        var life = MessageLife()
        life.live { _, _ in .unknown }
        #expect(life.log == ["0:00 bob refused 5.1.1", "0:00 told of bob: failed 5.1.1"])
    }

    @Test("A DANE failure at hour 30, after failures of another kind, is the end at once")
    func classBecomesSecurity() {
        var life = MessageLife()
        life.live { time, _ in time < 30 ? .busy : .tlsaInvalid }
        #expect(life.times.last == 30.5)
        #expect(life.log.last == "30:30 told of bob: failed 5.7.323")
    }

    @Test("A message that failed for DNSSEC at hour 23 and for something else at hour 24 lives on to its fifth day")
    func classBecomesGeneral() {
        var life = MessageLife()
        life.live { time, _ in time < 24 ? .bogus : .unreachable }
        #expect(life.times.contains(24) && life.times.contains(25))
        #expect(life.log.suffix(2) == ["120:00 bob expired 5.4.1", "120:00 told of bob: failed 5.4.1"])
    }

    @Test("It is delivered whenever the destination is mended, and nobody hears of what was before")
    func mended() {
        var life = MessageLife()
        life.live { time, _ in time < 3 ? .tlsaInvalid : .taken }
        #expect(life.log.last == "3:30 bob delivered")
        #expect(life.told.isEmpty)
    }

    // MARK: Delay

    @Test("The sender hears of the delay once: at the first failure at or after 4 h")
    func delayNotice() {
        var life = MessageLife()
        life.live(until: 10) { _, _ in .busy }
        #expect(life.told == ["4:30 told of bob: delayed 4.2.1 until 120:00"])
    }

    @Test("The notice says until when it is tried, by the class of the failure")
    func delayNoticeOfSecurity() {
        var life = MessageLife()
        life.live(until: 10) { _, _ in .tlsaInvalid }
        #expect(life.told == ["4:30 told of bob: delayed 4.7.323 until 24:00"])
    }

    @Test(
        "NOTIFY says of what the sender hears",
        arguments: [
            (nil, ["delayed", "failed"]), (.failure, ["failed"]), (.delay, ["delayed"]), (.never, []), (.success, []),
            ([.failure, .delay], ["delayed", "failed"]),
        ] as [(NotifyConditions?, [String])])
    func notify(_ notify: NotifyConditions?, _ kinds: [String]) {
        var life = MessageLife(["bob": notify])
        life.live { _, _ in .busy }
        #expect(life.told.map { $0.split(separator: " ")[4] == "delayed" ? "delayed" : "failed" } == kinds)
    }

    @Test("Of a message with the null reverse path nobody hears anything")
    func nullSender() {
        var life = MessageLife(from: "<>")
        life.live { _, _ in .busy }
        #expect(life.told.isEmpty && life.log.last == "120:00 bob expired 5.2.1")
    }

    // MARK: Recipients

    @Test("One recipient is delivered, one refused and one deferred: each once, and only the last is tried again")
    func partial() {
        var life = MessageLife(["bob": nil, "carol": nil, "dave": nil])
        life.live(until: 1) { time, name in
            switch name {
            case "bob": .taken
            case "carol": .unknown
            default: time < 0.5 ? .busy : .taken
            }
        }
        #expect(
            life.log == [
                "0:00 bob delivered", "0:00 carol refused 5.1.1", "0:00 told of carol: failed 5.1.1",
                "0:00 dave deferred 4.2.1", "0:15 dave deferred 4.2.1", "0:30 dave delivered",
            ])
    }

    @Test("Recipients that remain are given up together, each for its own reason and with its own wishes")
    func partialExpiry() {
        var life = MessageLife(["bob": nil, "carol": .never, "dave": .failure])
        life.live { time, name in name == "dave" && time > 10 ? .taken : .busy }
        #expect(
            life.told == [
                "4:30 told of bob: delayed 4.2.1 until 120:00", "120:00 told of bob: failed 5.2.1",
            ])
        #expect(life.log.contains("10:30 dave delivered") && life.log.contains("120:00 carol expired 5.2.1"))
    }

    @Test(
        "Recipients of one message with different failures: the security failure expires first, the other is tried on")
    func mixedClasses() {
        var life = MessageLife(["bob": nil, "carol": nil])
        life.live(until: 26) { _, name in name == "bob" ? .tlsaInvalid : .busy }
        #expect(life.log.contains("24:00 bob expired 5.7.323"))
        #expect(life.log.last == "26:00 carol deferred 4.2.1")
        #expect(life.next != nil)
    }

    // MARK: Settings

    @Test("A destination with settings of its own has its own steps, notice and end")
    func ownSchedule() throws {
        let schedule = try #require(
            RetrySchedule(
                delays: [.seconds(7200)], securityDelays: [.seconds(600)], securityLifetime: .seconds(1800),
                lifetime: .seconds(5 * 3600), delayNotice: .seconds(3600)))
        var general = MessageLife(schedule: schedule)
        general.live { _, _ in .busy }
        #expect(general.times == [0, 2, 4, 5])
        #expect(general.told.first == "2:00 told of bob: delayed 4.2.1 until 5:00")
        var security = MessageLife(schedule: schedule)
        security.live { _, _ in .tlsaInvalid }
        #expect(security.times.map(\.minutes) == [0, 10, 20, 30])
        #expect(security.told == ["0:30 told of bob: failed 5.7.323"], "the end comes before the notice")
    }

    // MARK: Interruptions and clocks

    @Test("An attempt that was interrupted takes the next step, like one that failed")
    func interrupted() {
        var life = MessageLife()
        let lost = AttemptOutcome.failed(.of("4.4.2", .connectionLost, host: nil))
        // The new owner finds the open attempt long before the step is due, and does not try at once.
        life.attempt(at: Clock(minutes: 1)) { _, _ in lost }
        #expect(life.next == Clock(minutes: 16))
        life.live(until: 1) { _, _ in .taken }
        #expect(life.log == ["0:01 bob deferred 4.4.2", "0:16 bob delivered"])
    }

    @Test("A clock that goes back before the arrival makes no wait negative, and none longer than a step")
    func clockGoesBack() {
        var life = MessageLife()
        life.attempt(at: -3) { _, _ in .busy }
        #expect(life.next == Clock(minutes: -165))
        life.live(until: 0) { _, _ in .tlsaInvalid }
        #expect(life.told.isEmpty)
    }

    @Test("A clock that leaps forward ends what is too old by it, with one notice")
    func clockLeaps() {
        var life = MessageLife()
        life.attempt(at: 0) { _, _ in .busy }
        life.attempt(at: 500) { _, _ in .busy }
        #expect(life.told == ["500:00 told of bob: failed 5.2.1"])
    }

    // MARK: A blocked destination

    @Test("A message that waits behind others for a dead domain is told of and given up without an attempt of its own")
    func blocked() {
        let failure = DeliveryFailure.of("4.7.324", .dnssecInvalid, .security, host: nil)
        let backoff = { (now: Timestamp) in
            DestinationBackoff(failure: failure, failures: 9, since: now, until: now + .seconds(3600))
        }
        var life = MessageLife(["bob": nil, "carol": .never])
        life.wait(at: 4.5, for: backoff)
        life.wait(at: 24.5, for: backoff)
        #expect(
            life.told == ["4:30 told of bob: delayed 4.7.324 until 24:00", "24:30 told of bob: failed 5.7.324"])
        #expect(life.times.isEmpty && life.next == nil)
    }
}
