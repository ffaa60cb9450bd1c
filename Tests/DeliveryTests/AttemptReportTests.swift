import DANE
import DNSModel
import DeliveryQueue
import MailModel
import Routing
import SMTPProtocol
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// What one attempt comes to, over all of its hosts.
@Suite("Attempt report")
struct AttemptReportTests {
    private static let refused = RemoteReply(550, EnhancedStatusCode(.permanentFailure, 1, 1), "No such user")
    private static let busy = RemoteReply(450, EnhancedStatusCode(.persistentTransientFailure, 2, 1), "Busy")
    private static let ok = RemoteReply(250, EnhancedStatusCode(.success, 0, 0), "OK")

    private func status(_ outcome: AttemptOutcome) -> String {
        if case .failed(let failure) = outcome { "\(failure.status) \(failure.reason)" } else { "delivered" }
    }

    @Test("hostile-input 20: accepted, deferred and refused recipients keep an outcome each")
    func outcomesPerRecipient() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .accepted(Self.ok), 1: .deferred(Self.busy), 2: .refused(Self.refused)]
        let report = AttemptReport(tries: [attempt], recipients: 3)
        #expect(
            report.outcomes.map(self.status) == ["delivered", "4.2.1 remote-reply", "5.1.1 remote-reply"])
    }

    @Test("What one host decided stands; the rest gets what the next host says")
    func secondHost() {
        var first = HostAttempt(failure: HostFailure(.connectionLost))
        first.outcomes = [0: .refused(Self.refused)]
        var second = HostAttempt()
        second.outcomes = [1: .accepted(Self.ok)]
        let report = AttemptReport(tries: [first, second], recipients: 2)
        #expect(report.outcomes.map(self.status) == ["5.1.1 remote-reply", "delivered"])
    }

    @Test(
        "Rule 24: a DANE or DNSSEC verdict is told before a connection failure, absence only if all are absent (field C9)",
        arguments: [
            ([FailureReason.connectionRefused, .tlsaInvalid], "4.7.323 tlsa-invalid"),
            ([.connectionTimeout, .dnssecInvalid, .connectionRefused], "4.7.324 dnssec-invalid"),
            ([.startTLSNotSupported, .connectionLost], "4.7.321 starttls-not-supported"),
            ([.connectionTimeout], "4.4.1 connection-timeout"),
            ([.noSuchHost, .noSuchHost], "5.4.4 no-such-host"),
            ([.noSuchHost, .connectionTimeout], "4.4.1 connection-timeout"),
            ([.noSuchHost, .dnsQueryFailed, .noSuchHost], "4.4.312 dns-query-failed"),
            ([.noSuchHost, .noUsableRoute], "4.4.4 no-usable-route"),
        ] as [([FailureReason], String)])
    func mostTelling(failures: [FailureReason], told: String) {
        let report = AttemptReport(tries: failures.map { HostAttempt(failure: HostFailure($0)) }, recipients: 1)
        #expect(report.outcomes.map(self.status) == [told])
    }

    @Test(
        "hostile-input 18: what refuses the host's service, which may be forged in clear, bounces no message",
        arguments: [
            SMTPClientFailure.greetingRefused(refused), .helloRefused(refused), .serviceClosing(refused, at: .ready),
        ])
    func serviceRefusal(_ refusal: SMTPClientFailure) {
        let failure = HostFailure(refusal)
        let alone = AttemptReport(tries: [HostAttempt(failure: failure)], recipients: 1)
        #expect(alone.outcomes.map(self.status) == ["4.1.1 remote-reply"])
        #expect(failure.detail.contains("No such user"), "the host's own words are told")
        var second = HostAttempt()
        second.outcomes = [0: .accepted(Self.ok)]
        let next = AttemptReport(tries: [HostAttempt(failure: failure), second], recipients: 1)
        #expect(next.outcomes.map(self.status) == ["delivered"])
    }

    @Test("hostile-input 18: greeting 521 is for good once no other host does better (RFC 7504; field C12)")
    func takesNoMail() {
        let reply = RemoteReply(521, nil, "no mail here")
        let never = self.host(1, [:], failure: HostFailure(.greetingRefused(reply)))
        #expect(self.told([never]) == "5.0.0 remote-reply [192.0.2.1]")
        #expect(self.told([never, self.host(2, [0: .accepted(Self.ok)])]) == "delivered")
        let dead = self.host(2, [:], failure: HostFailure(.connectionTimeout))
        #expect(self.told([never, dead]) == "4.4.1 connection-timeout [192.0.2.2]")
        #expect(self.told([never], isCutOff: true) == "4.0.0 remote-reply [192.0.2.1]")
        // Where TLS is owed, what is said in clear may be an attacker's words.
        let unproven = self.host(1, [:], failure: HostFailure(.greetingRefused(reply), isTLSOwed: true))
        #expect(self.told([unproven]) == "4.0.0 remote-reply [192.0.2.1]")
    }

    @Test("An operator's verdict bounces with its reason made safe, and says nothing of the destination")
    func verdict() {
        let report = AttemptReport(of: .of(["a@bravo.test", "b@bravo.test"]), verdict: "closed\u{1b}")
        #expect(report.outcomes.map(self.status) == Array(repeating: "5.7.0 failed-by-operator", count: 2))
        #expect(report.finding(sender: "alice@alpha.test") == .inconclusive)
        guard case .failed(let failure) = report.outcomes[0] else { return }
        #expect(failure.text.hasSuffix("(closed\\x1B)") && failure.host == nil)
    }

    @Test("A refusal of the recipient bounces at once")
    func recipientRefusal() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .refused(Self.refused)]
        let report = AttemptReport(tries: [attempt], recipients: 1)
        #expect(report.outcomes.map(self.status) == ["5.1.1 remote-reply"])
    }

    // MARK: - Several hosts (RFC 5321 §5.1)

    /// A host's try: its answers by position, or why it gave none.
    private func host(
        _ last: UInt8, _ outcomes: [Int: AttemptOutcome], failure: HostFailure? = nil
    ) -> HostAttempt {
        var attempt = HostAttempt(address: IPAddress("192.0.2.\(last)"), failure: failure)
        attempt.outcomes = outcomes
        return attempt
    }

    private func told(_ tries: [HostAttempt], isCutOff: Bool = false) -> String {
        let report = AttemptReport(tries: tries, recipients: 1, isCutOff: isCutOff)
        guard case .failed(let failure)? = report.outcomes.first else { return "delivered" }
        return "\(failure.status) \(failure.reason) \(failure.host ?? "-")"
    }

    private static let later = AttemptOutcome.deferred(.busy)
    private static let unsuitable = AttemptOutcome.unsuitable(.noEightBitMIME)

    @Test("A 4yz of the first host yields to a 2yz or 5yz of the next one (field C1)")
    func laterHostDoesBetter() {
        let first = self.host(1, [0: Self.later])
        #expect(self.told([first, self.host(2, [0: .accepted(Self.ok)])]) == "delivered")
        #expect(self.told([first, self.host(2, [0: .refused(Self.refused)])]) == "5.1.1 remote-reply [192.0.2.2]")
    }

    @Test(
        "A 4yz of the first host is kept where no other does better: failures of later hosts do not hide it (field C1)",
        arguments: [FailureReason.connectionRefused, .tlsaInvalid, .dnsQueryFailed, .connectionLost])
    func firstWordsAreKept(_ failure: FailureReason) {
        let (first, failed) = (self.host(1, [0: Self.later]), self.host(2, [:], failure: HostFailure(failure)))
        #expect(self.told([first, failed]) == "4.2.1 remote-reply [192.0.2.1]")
        #expect(self.told([failed, first]) == "4.2.1 remote-reply [192.0.2.1]")
        let other = self.host(3, [0: .deferred(RemoteReply(451, nil, "other"))])
        #expect(self.told([first, failed, other]) == "4.2.1 remote-reply [192.0.2.1]")
        #expect(self.told([first, self.host(2, [0: Self.unsuitable])]) == "4.2.1 remote-reply [192.0.2.1]")
    }

    @Test("A final dot without an answer is told before a 4yz, for the message may have been delivered (field C1)")
    func ambiguousIsTold() {
        let lost = HostFailure(.connectionLost(.finalDot, afterFinalDot: true))
        let tries = [self.host(1, [0: Self.later, 1: Self.later]), self.host(2, [1: Self.later], failure: lost)]
        let report = AttemptReport(tries: tries, recipients: 2)
        #expect(report.outcomes.map(self.status) == ["4.4.2 connection-lost", "4.2.1 remote-reply"])
        #expect(report.isAmbiguous)
    }

    @Test("What a host does not offer is final only where none of all hosts offers it (field C2)")
    func unsuitableHosts() {
        let (first, second) = (self.host(1, [0: Self.unsuitable]), self.host(2, [0: Self.unsuitable]))
        #expect(self.told([first, second]) == "5.6.3 unsupported-by-host [192.0.2.1]")
        #expect(self.told([first, self.host(2, [0: .accepted(Self.ok)])]) == "delivered")
        #expect(self.told([first, self.host(2, [0: .refused(Self.refused)])]) == "5.1.1 remote-reply [192.0.2.2]")
        // This one may offer it when it is back.
        let dead = self.host(2, [:], failure: HostFailure(.connectionRefused))
        #expect(self.told([first, dead]) == "4.4.1 connection-refused [192.0.2.2]")
        #expect(self.told([first], isCutOff: true) == "4.6.3 unsupported-by-host [192.0.2.1]")
    }

    @Test("The next host is asked for those on whom nobody has had the last word, and for no others (field C1)")
    func whoIsAsked() throws {
        var progress = AttemptProgress(recipients: 4)
        progress.tried(
            self.host(1, [0: .accepted(Self.ok), 1: Self.later, 2: .refused(Self.refused), 3: Self.unsuitable]))
        let (first, second) = (try #require(IPAddress("192.0.2.1")), try #require(IPAddress("192.0.2.2")))
        #expect(progress.unasked(at: second) == [1, 3] && !progress.isOver)
        #expect(progress.unasked(at: first).isEmpty, "an address is not asked twice in one attempt")
        progress.tried(self.host(2, [1: .accepted(Self.ok), 3: .refused(Self.refused)]))
        #expect(progress.isOver)
    }

    @Test("Over a connection that was cut short only those follow whom it left out (field C1)")
    func cutShort() throws {
        var progress = AttemptProgress(recipients: 3)
        var cut = self.host(1, [0: Self.later])
        cut.isCutShort = true
        progress.tried(cut)
        #expect(progress.unasked(at: try #require(IPAddress("192.0.2.1"))) == [1, 2] && progress.isCutShort)
    }

    @Test("No host is asked behind a final dot without an answer, whatever others have said (field C1)")
    func neverBehindAnOpenDot() {
        var progress = AttemptProgress(recipients: 2)
        progress.tried(self.host(1, [0: Self.later, 1: Self.later]))
        #expect(!progress.isOver)
        let lost = HostFailure(.connectionLost(.finalDot, afterFinalDot: true))
        progress.tried(self.host(2, [0: .refused(Self.refused)], failure: lost))
        #expect(progress.isOver)
    }

    @Test("So many sessions are enough in which hosts said 4yz, and so many addresses in all (field C1)")
    func bounds() {
        var answering = AttemptProgress(recipients: 1)
        for last in 1...AttemptProgress.answeringSessions {
            #expect(!answering.isOver)
            answering.tried(self.host(UInt8(last), [0: Self.later]))
        }
        #expect(answering.isOver)
        var failing = AttemptProgress(recipients: 1)
        var addresses = 0
        while failing.takeAddress() { addresses += 1 }
        #expect(addresses == AttemptAllowance.addressesPerAttempt)
    }

    /// A host that was not tried, for this.
    private func skipped(_ failure: RouteFailure) -> HostAttempt {
        let host = PlannedHost(
            name: "mx.bravo.test", addresses: [], requirement: .opportunistic, failure: failure)
        return HostAttempt(host: host, failure: HostFailure(FailureReason(failure)))
    }

    private static let absent = RouteFailure.noSuchHost("mx.bravo.test")

    @Test(
        "However many hosts provably do not exist, all are looked up, and then it is 5.4.4 (RFC 5321 §5.1) (field C9)",
        arguments: [
            1, AttemptAllowance.failedLookUpsPerAttempt, AttemptAllowance.failedLookUpsPerAttempt + 1,
            DNSLimits().mailExchangers,
        ])
    func noneExists(_ hosts: Int) {
        var progress = AttemptProgress(recipients: 1)
        for _ in 1...hosts where !progress.isOver { progress.skipped(self.skipped(Self.absent)) }
        #expect(progress.tries.count == hosts && !progress.isOver)
        #expect(self.told(progress.tries).hasPrefix("5.4.4 no-such-host"))
    }

    @Test("Look-ups that fail are counted, beside any number of hosts that do not exist, and bounce nothing (field C9)")
    func someFail() {
        var progress = AttemptProgress(recipients: 1)
        let failure = RouteFailure.dnsQueryFailed(DNSQuestion("mx.bravo.test", .a), .timeout)
        for number in 1...AttemptAllowance.failedLookUpsPerAttempt {
            #expect(!progress.isOver)
            for _ in 0..<number { progress.skipped(self.skipped(Self.absent)) }
            #expect(!progress.isOver)
            progress.skipped(self.skipped(failure))
        }
        #expect(progress.isOver)
        #expect(self.told(progress.tries).hasPrefix("4.4.312 dns-query-failed"))
    }

    @Test("While hosts are left that had no turn, those that do not exist bounce nothing (field C9)")
    func absentAndCutOff() {
        #expect(self.told([self.skipped(Self.absent)]).hasPrefix("5.4.4 no-such-host"))
        #expect(self.told([self.skipped(Self.absent)], isCutOff: true).hasPrefix("4.4.4 no-usable-route"))
        // Of the domain as a whole nothing is left to be asked.
        #expect(self.told([HostAttempt(failure: HostFailure(.nullMX))], isCutOff: true).hasPrefix("5."))
    }

    // MARK: - What it shows of the destination

    @Test(
        "Where nobody could be reached or trusted, the destination as a whole has failed, with the most telling reason",
        arguments: [
            ([FailureReason.connectionRefused, .connectionTimeout], "connection-refused"),
            ([.connectionRefused, .tlsaInvalid], "tlsa-invalid"), ([.dnssecInvalid], "dnssec-invalid"),
            ([.dnsQueryFailed], "dns-query-failed"), ([.startTLSNotSupported], "starttls-not-supported"),
        ] as [([FailureReason], String)])
    func destinationFailed(failures: [FailureReason], reason: String) {
        let report = AttemptReport(tries: failures.map { HostAttempt(failure: HostFailure($0)) }, recipients: 1)
        guard case .failed(let failure) = report.finding(sender: "alice@alpha.test") else {
            Issue.record("\(report.finding(sender: "alice@alpha.test"))")
            return
        }
        #expect(failure.reason.name == reason)
    }

    @Test(
        "A 421 that comes with the message is told as such, with its sender; one that comes before is the destination's (field B2)"
    )
    func closedUponMessage() throws {
        var attempt = HostAttempt(failure: HostFailure(.serviceClosing(Self.busy, at: .mail)))
        guard case .failed = AttemptReport(tries: [attempt], recipients: 1).finding(sender: "a@alpha.test") else {
            Issue.record("a host that closes before it took the session has failed")
            return
        }
        attempt.established = Established(label: .none)
        let refused = HostAttempt(failure: HostFailure(.connectionRefused))
        for tries in [[attempt], [refused, attempt]] {
            let finding = AttemptReport(tries: tries, recipients: 1).finding(sender: "a@alpha.test")
            guard case .closed(let failure, sender: "a@alpha.test") = finding else {
                Issue.record("\(finding)")
                continue
            }
            #expect(failure.reason == .remoteReply)
        }
    }

    @Test(
        "An answer for one recipient, whatever it is, or a domain that wants no mail ever, is no failure of the destination"
    )
    func answered() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .refused(Self.refused)]
        #expect(
            AttemptReport(tries: [HostAttempt(failure: HostFailure(.connectionRefused)), attempt], recipients: 2)
                .finding(
                    sender: "alice@alpha.test")
                == .answered)
        #expect(
            AttemptReport(tries: [HostAttempt(failure: HostFailure(.nullMX))], recipients: 1).finding(
                sender: "alice@alpha.test") == .answered)
    }

    @Test("What was the message's fault, or ours, or is not known, shows nothing")
    func inconclusive() {
        var inSession = HostAttempt(failure: HostFailure(.connectionLost(.data, afterFinalDot: false)))
        inSession.established = Established(label: .none)
        let lost = HostAttempt(failure: HostFailure(.connectionLost(.finalDot, afterFinalDot: true)))
        var ours = HostAttempt(failure: HostFailure(.dnsQueryFailed))
        ours.isOurResolvers = true
        for attempt in [inSession, lost, ours] {
            let refused = HostAttempt(failure: HostFailure(.connectionRefused))
            #expect(
                AttemptReport(tries: [refused, attempt], recipients: 1).finding(sender: "alice@alpha.test")
                    == .inconclusive)
        }
    }

    @Test("A connection that we could not open ourselves shows nothing of the destination, and speaks last (field C7)")
    func ourNetwork() {
        let ours = HostAttempt(failure: HostFailure(.localNetwork))
        let refused = HostAttempt(failure: HostFailure(.connectionRefused))
        let report = AttemptReport(tries: [ours, refused], recipients: 1)
        #expect(report.finding(sender: "alice@alpha.test") == .inconclusive)
        #expect(report.outcomes.map(self.status) == ["4.4.1 connection-refused"])
        let unreachable = AttemptReport(tries: [HostAttempt(failure: HostFailure(.hostUnreachable))], recipients: 1)
        #expect(unreachable.outcomes.map(self.status) == ["4.4.1 host-unreachable"])
        #expect(unreachable.finding(sender: "alice@alpha.test") != .inconclusive)
    }

    @Test("An attempt is ambiguous when the reply to one of its dots was lost")
    func ambiguity() {
        let lost = HostFailure(.connectionLost(.finalDot, afterFinalDot: true))
        #expect(AttemptReport(tries: [HostAttempt(failure: lost)], recipients: 1).isAmbiguous)
        #expect(!AttemptReport(tries: [HostAttempt(failure: HostFailure(.connectionLost))], recipients: 1).isAmbiguous)
        #expect(HostFailure(.protocolError(.finalDot)).isAmbiguous)
        #expect(!HostFailure(.protocolError(.mail)).isAmbiguous)
    }
}
