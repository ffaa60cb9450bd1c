import DNSModel
import LabSupport
import MailModel
import QueueStore
import SMTPProtocol
import Telemetry
import TestLiterals
import Testing

@testable import Delivery
@testable import TLSEngine

/// What traces and reports tell of an attempt.
@Suite("Traces and reports of an attempt")
struct OutcomeTests {
    private func events(_ entry: QueueEntry, _ tries: [HostAttempt], isTransfer: Bool = false) -> [TraceEvent] {
        let report = AttemptReport(tries: tries, recipients: entry.recipients.count)
        return AttemptTrace(
            entry: entry, report: report, decision: entry.decision(report), node: "relay.test", isTransfer: isTransfer
        ).lines.map(\.event)
    }

    @Test("Recipients with the same fate and reply share a row; others have their own")
    func rowsByFate() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .accepted(.accepted), 1: .refused(.unknownUser), 2: .accepted(.accepted)]
        let events = self.events(.of(["a@bravo.test", "b@bravo.test", "c@bravo.test"]), [attempt])
        #expect(events.map(\.kind) == [.send, .fail])
        #expect(events.map(\.recipients) == ["a@bravo.test c@bravo.test", "b@bravo.test"])
    }

    @Test("Ten thousand recipients with a different reply each have rows of their own, in order (field A2)")
    func differentReplies() {
        var attempt = HostAttempt()
        for index in 0..<10_000 {
            attempt.outcomes[index] = .deferred(
                RemoteReply(450, nil, "reply \(index)", String(repeating: "z", count: 80)))
        }
        let events = self.events(.of((0..<10_000).map { "r\($0)@bravo.test" }), [attempt])
        #expect(events.map(\.recipients) == (0..<10_000).map { "r\($0)@bravo.test" })
        #expect(events.last?.reply?.hasPrefix("450 reply 9999") == true)
    }

    @Test("A delivery to an accepted domain's next hop is a transfer")
    func transfer() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .accepted(.accepted)]
        #expect(self.events(.of(), [attempt], isTransfer: true).map(\.kind) == [.transfer])
    }

    @Test("Each host that was tried has a row, and a deferral says when it is tried again")
    func rowPerHost() {
        let failures = [FailureReason.connectionRefused, .tlsaInvalid]
        let events = self.events(.of(), failures.map { HostAttempt(failure: HostFailure($0)) })
        #expect(events.map(\.kind) == [.defer, .defer])
        #expect(events.map(\.reason) == ["connection-refused", "tlsa-invalid"])
        #expect(events.allSatisfy { $0.nextAttempt == Timestamp(seconds: 60 + 900) })
    }

    @Test("The row of a host that was not asked tells our finding, and no reply of its own (field C3)")
    func finding() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .unsuitable(.maximumSize(5)), 1: .refused(.unknownUser)]
        let events = self.events(.of(["a@bravo.test", "b@bravo.test"]), [attempt])
        #expect(events.map(\.reason) == ["unsupported-by-host", "remote-reply"])
        #expect(events.map { $0.status.map { "\($0)" } } == ["5.3.4", "5.1.1"])
        #expect(events[0].reply?.hasSuffix("(the host takes at most 5 bytes)") == true)
    }

    @Test("A 4yz of the first host is a deferral also where the next one took the message, or refused it (field C1)")
    func rowsOfSeveralHosts() {
        var (first, second) = (HostAttempt(), HostAttempt())
        first.outcomes = [0: .accepted(.accepted), 1: .deferred(.busy), 2: .deferred(.busy)]
        second.outcomes = [1: .accepted(.accepted), 2: .refused(.unknownUser)]
        let refused = HostAttempt(failure: HostFailure(.connectionRefused))
        let entry = QueueEntry.of(["a@bravo.test", "b@bravo.test", "c@bravo.test"])
        let events = self.events(entry, [first, refused, second])
        #expect(events.map(\.kind) == [.send, .defer, .defer, .send, .fail])
        #expect(events.map { $0.status.map { "\($0)" } } == ["2.0.0", "4.2.1", "4.4.1", "2.0.0", "5.1.1"])
        #expect(
            events.map(\.recipients) == [
                "a@bravo.test", "b@bravo.test c@bravo.test", "b@bravo.test c@bravo.test", "b@bravo.test",
                "c@bravo.test",
            ])
        #expect(events.allSatisfy { $0.nextAttempt == nil })
    }

    private let agreed = TLSConnectionInfo(
        version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", cipherBits: 256, keyExchangeGroup: nil, serverName: nil,
        resumed: false, applicationProtocol: nil, client: nil)

    @Test("The row of a host refused after its handshake says what TLS it spoke, and that nothing was proven")
    func refusedHandshake() {
        let failure = HostFailure(.tlsaInvalid, connection: self.agreed)
        let events = self.events(.of(), [HostAttempt(address: .loopback, failure: failure)])
        #expect(events.map(\.authentication) == [AuthenticationLabel.none])
        #expect(events.map(\.tlsVersion) == ["TLSv1.3"])
        #expect(events.map(\.cipher) == ["TLS_AES_256_GCM_SHA384"])
    }

    @Test("Where no host was tried there is nothing to say of authentication")
    func noHost() {
        #expect(self.events(.of(), [HostAttempt(failure: HostFailure(.dnssecInvalid))]).map(\.authentication) == [nil])
    }

    @Test("A host that was refused in the handshake proved nothing")
    func refusedHost() {
        let attempt = HostAttempt(address: .loopback, failure: HostFailure(.tlsaInvalid))
        #expect(self.events(.of(), [attempt]).map(\.authentication) == [AuthenticationLabel.none])
        #expect(DANEVerificationResult(attempt) == DANEVerificationResult(rawValue: "tlsa-invalid"))
    }

    @Test("The log line has the code of the peer's reply, where there was one")
    func replyCode() {
        var attempt = HostAttempt(address: .loopback, failure: HostFailure(.greetingRefused(.unknownUser)))
        attempt.outcomes = [0: .accepted(.accepted)]
        let silent = HostAttempt(address: .loopback, failure: HostFailure(.connectionLost))
        let entry = QueueEntry.of(["a@bravo.test", "b@bravo.test"])
        let report = AttemptReport(tries: [attempt, silent], recipients: 2)
        let lines = AttemptTrace(
            entry: entry, report: report, decision: entry.decision(report), node: "relay.test", isTransfer: false
        ).lines
        let logged = lines.map { $0.logMetadata(of: entry)["code"].map { "\($0)" } }
        #expect(logged == ["250", "550", nil])
    }

    @Test("RFC 6698 §2.2: the record that matched is told whole")
    func wholeRecord() {
        let record = TLSARecord(
            usage: .daneEE, selector: .spki, matchingType: .sha512, associationData: Array(repeating: 0xAB, count: 64))
        #expect(record.presentation == "3 1 2 " + String(repeating: "ab", count: 64))
        let full = TLSARecord(
            usage: .daneTA, selector: .cert, matchingType: .full, associationData: Array(repeating: 0xAB, count: 65))
        #expect(full.presentation == "2 0 0 " + String(repeating: "ab", count: 64) + "...")
    }

    @Test("A message that expires after a 4yz is logged as an expiration, with a code of class 5")
    func expiration() {
        var attempt = HostAttempt()
        attempt.outcomes = [0: .deferred(.busy), 1: .refused(.unknownUser)]
        let entry = QueueEntry.of(["a@bravo.test", "b@bravo.test"])
        let report = AttemptReport(tries: [attempt], recipients: 2)
        let lines = AttemptTrace(
            entry: entry, report: report, decision: entry.decision(report, atSecond: 6 * 86_400), node: "relay.test",
            isTransfer: false
        ).lines
        #expect(lines.map { $0.logMetadata(of: entry)["event"].map { "\($0)" } } == ["expiration", "bounce"])
        #expect(lines.map { $0.event.status.map { "\($0)" } } == ["5.2.1", "5.1.1"])
    }
}
