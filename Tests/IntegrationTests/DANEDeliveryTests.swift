import LabPeers
import LabRelay
import MailModel
import QueueStore
import TLSEngine
import Testing

/// The main job, from a client's connection to the receiving host, with the real binary and real name servers.
@Suite("Delivery with DANE", .daneWorld, .timeLimit(.minutes(2)))
struct DANEDeliveryTests {
    private static let allSecure = "mx=secure a=secure tlsa=secure"

    @Test("A host that matches its TLSA record gets the mail, and the trace says by which record (RFC 7672 §2.2)")
    func verified() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "verified@bravo.test")
        let trace = try await lab.wait(for: id) { $0.count == 2 }
        let received = try #require(trace.first)
        #expect(received.kind == .receive)
        #expect(received.reply?.contains("TLSv1.3") == true)
        let sent = try #require(trace.last)
        #expect(sent.kind == .send)
        #expect(sent.authentication == .dane)
        // The whole record: three numbers and a digest of 64 digits.
        let short = try #require(lab.peer("bravo.test").tlsa).replacing("...", with: "")
        #expect(sent.tlsMatch?.hasPrefix(short) == true)
        #expect(sent.tlsMatch?.count == "3 1 1 ".count + 64)
        #expect(sent.dnssec == Self.allSecure)
        #expect(sent.requirement == "authenticate")
        #expect(sent.tlsVersion == "TLSv1.3")
        #expect(sent.mxHost == "mx.bravo.test")
        #expect(sent.status.map { "\($0)" } == "2.0.0")
        try await lab.expectLogged(sent)
        let mail = try #require(
            lab.peer("bravo.test").server.received.first { $0.recipients == ["verified@bravo.test"] })
        // SNI is the TLSA base domain (rule 20).
        #expect(mail.tls?.serverName?.text == "mx.bravo.test")
    }

    @Test(
        "What DANE demanded and what came of it are two facts: of a match, a failure, and a host that owes nothing",
        arguments: [
            ("bravo.test", true, "verified", "authenticate", "dane"),
            ("counterfeit.test", true, "tlsa-invalid", "authenticate", "none"),
            ("absent.test", false, nil, "opportunistic", "tls"),
        ] as [(String, Bool, String?, String, String?)])
    func requiredAndResult(
        _ domain: String, _ isRequired: Bool, _ result: String?, _ requirement: String, _ authentication: String?
    ) async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "facts@\(domain)")
        let event = try await lab.firstOutcome(of: id)
        #expect(event.requirement == requirement)
        #expect(event.authentication?.rawValue == authentication)
        let found = await lab.relayd.waitForLogLine { $0["message_id"] == "\(id)" && $0["dane_required"] != nil }
        let line = try #require(found)
        #expect(line["dane_required"] == "\(isRequired)" && line["dane_result"] == result, "\(line.text)")
        #expect(line.text.contains("\"dane_required\":\(isRequired)"), "a JSON value, and no text: \(line.text)")
    }

    /// A domain whose mail must wait, and what its trace must say.
    struct HeldBack: CustomTestStringConvertible, Sendable {
        let domain: String
        let reason: String
        let status: String
        /// `nil` where no host could be named at all.
        let host: String?

        var testDescription: String { "\(self.domain): \(self.status) \(self.reason)" }
    }

    @Test(
        "hostile-input 19: where authentication is owed and not given, mail waits under its code, and nothing is said in clear",
        arguments: [
            HeldBack(domain: "forged.test", reason: "tlsa-invalid", status: "4.7.323", host: "mx.forged.test"),
            HeldBack(
                domain: "stripped.test", reason: "starttls-not-supported", status: "4.7.321", host: "mx.stripped.test"),
            HeldBack(
                domain: "refusing.test", reason: "starttls-not-supported", status: "4.7.321", host: "mx.refusing.test"),
            HeldBack(
                domain: "expired.test", reason: "certificate-expired", status: "4.7.322", host: "mx.expired.test"),
            HeldBack(domain: "bogus.test", reason: "dnssec-invalid", status: "4.7.324", host: nil),
        ])
    func heldBack(_ expected: HeldBack) async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@\(expected.domain)")
        let event = try await lab.firstOutcome(of: id)
        #expect(event.kind == .defer)
        #expect(event.reason == expected.reason)
        #expect(event.status.map { "\($0)" } == expected.status)
        #expect(event.mxHost == expected.host)
        #expect(event.requirement == expected.host.map { _ in "authenticate" })
        #expect(event.dnssec == (expected.host == nil ? "mx=bogus a=notAsked tlsa=notAsked" : Self.allSecure))
        #expect(event.tlsMatch == nil)
        #expect(event.authentication == (expected.host == nil ? nil : AuthenticationLabel.none))
        // The handshake was completed before the certificate was refused.
        let isTLSComplete = expected.reason == "tlsa-invalid" || expected.reason == "certificate-expired"
        #expect(event.tlsVersion == (isTLSComplete ? "TLSv1.3" : nil))
        #expect((event.cipher != nil) == isTLSComplete)
        // The default schedule: a quarter of an hour after the first failure.
        let wait = try #require(event.nextAttempt) - (try #require(event.at))
        #expect(wait > .seconds(890) && wait < .seconds(910))
        try await lab.expectLogged(event)
        if expected.domain != "expired.test" {
            let server = lab.peer(expected.domain).server
            #expect(server.messageCount == 0)
            #expect(!server.commands.contains { $0.hasPrefix("MAIL") })
        }
        if expected.host == nil {
            #expect(event.reply?.contains("bogus.test") == true, "which question failed: \(event.reply ?? "")")
        }
    }

    @Test("A securely absent TLSA record leaves opportunistic TLS (rule 2)")
    func opportunistic() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@absent.test")
        let sent = try await lab.firstOutcome(of: id)
        #expect(sent.kind == .send)
        #expect(sent.requirement == "opportunistic")
        #expect(sent.dnssec == "mx=secure a=secure tlsa=absent")
        #expect(sent.authentication == .tls)
        #expect(sent.tlsMatch == nil)
        try await lab.expectLogged(sent)
    }

    @Test("Records that are all unusable make TLS mandatory and authenticate nobody (rule 14)")
    func unusable() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@unusable.test")
        let sent = try await lab.firstOutcome(of: id)
        #expect(sent.kind == .send)
        #expect(sent.requirement == "encrypt")
        #expect(sent.dnssec == Self.allSecure)
        #expect(sent.authentication == .tls)
        #expect(sent.tlsMatch == nil)
        try await lab.expectLogged(sent)
    }

    @Test("When the first host fails DANE, the next in order gets the mail, and the trace has both (rule 23)")
    func secondHost() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@pair.test")
        let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
        let attempts = trace.filter { $0.kind != .receive }
        #expect(attempts.map(\.mxHost) == ["mx.forged.test", "mx.bravo.test"])
        #expect(attempts.map(\.attempt) == [1, 1])
        #expect(attempts.map(\.reason) == ["tlsa-invalid", nil])
        #expect(attempts.map(\.authentication) == [AuthenticationLabel.none, .dane])
        #expect(lab.peer("forged.test").server.messageCount == 0)
        for event in attempts { try await lab.expectLogged(event) }
    }

    @Test(
        "A domain that takes no mail, or does not exist, bounces at once to the sender (RFC 7505 §4.2, RFC 3464)",
        arguments: [("null.test", "5.1.10", "null-mx"), ("nowhere.test", "5.1.2", "no-such-domain")])
    func bounced(domain: String, status: String, reason: String) async throws {
        let lab = try SharedLab.lab
        let sender = "\(reason)@alpha.test"
        let id = try await lab.submit(from: sender, to: "bob@\(domain)")
        let failed = try await lab.firstOutcome(of: id)
        #expect(failed.kind == .fail)
        #expect(failed.reason == reason)
        #expect(failed.status.map { "\($0)" } == status)
        #expect(failed.nextAttempt == nil)
        #expect(failed.dnssec == "mx=secure a=notAsked tlsa=notAsked")
        try await lab.expectLogged(failed)
        let report = try await lab.deliveredReport(on: id, to: sender, at: "alpha.test")
        #expect(report.reversePath == "")
        #expect(report.text.contains("Final-Recipient: rfc822; bob@\(domain)\r\n"))
        #expect(report.text.contains("Status: \(status)\r\n"))
        #expect(report.text.contains(reason))
    }
}
