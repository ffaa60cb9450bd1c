import Foundation
import LabPeers
import LabRelay
import MailModel
import OperatingSystem
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// A relay that tells of a delay after a second and gives up after four.
    fileprivate static var tellingRelay: Self {
        var options = LabRelayOptions()
        options.settings = [
            "retry.schedule": "[200ms]", "retry.lifetime": "4s", "retry.dane-lifetime": "4s",
            "retry.delay-notice": "1s", "dsn.max-returned-size": "4KiB",
        ]
        return .lab(
            [
                .dane("alpha.test"), .dane("bravo.test"),
                .dane("dsn.test", rules: [.offer(["STARTTLS", "PIPELINING", "8BITMIME", "DSN"])]),
                .dane("closed.test", rules: [.on(.everyRecipient, .reply("550 5.1.1 No such user"))]),
                .dane("busy.test", rules: [.on(.everyRecipient, .reply("450 4.2.1 Busy"))]),
                .forgedCertificate("forged.test"),
                .dane(
                    "hostile.test",
                    rules: [.on(.everyRecipient, .bytes("550 5.1.1 \u{1b}[2J\0 --=_x\tAction: delivered\u{85}\r\n"))]),
            ], options)
    }
}

/// What a sender hears of its message, at the MX host of the sender's domain.
@Suite("Delivery status notifications", .tellingRelay, .timeLimit(.minutes(2)))
struct NotificationTests {
    private static let body = "Subject: Hello\r\nMessage-ID: <1@client.test>\r\n\r\nThe body.\r\n"

    /// Queues a message with the wishes of RFC 3461, and gives the id and the sender, who is somebody new each time.
    private func send(
        to address: String, notify: String? = nil, returning: String? = nil, from sender: String? = nil,
        body: String = Self.body
    ) async throws -> (id: MessageID, sender: String) {
        let lab = try SharedLab.lab
        let sender = sender ?? "s\(UUID().uuidString.prefix(8))@alpha.test"
        let id = MessageID(at: .systemNow, random: .random(in: .min ... .max))
        var attributes = MessageAttributes()
        attributes.dsnReturn = returning.flatMap { ReturnContent(rawValue: $0) }
        attributes.mayRelay = true
        attributes.envelopeID = "envelope \(id)"
        let recipient = QueueRecipient(
            address: address, notify: notify, originalRecipient: "rfc822;the+2Bone@first.test")
        let domain = try #require(Mailbox(address)?.domainName)
        let writer = QueueWriter(pool: lab.store.pool, map: lab.store.shardMap, node: "test")
        try await writer.enqueue(
            AcceptedMessage(
                id: id, sender: sender, attributes: attributes,
                entries: [AcceptedEntry(domain: domain, recipients: [recipient])], body: .inline(Array(body.utf8))))
        return (id, sender)
    }

    private func report(on mail: (id: MessageID, sender: String)) async throws -> String {
        let report = try await SharedLab.lab.deliveredReport(on: mail.id, to: mail.sender, at: "alpha.test")
        #expect(report.reversePath == "")
        #expect(report.text.contains("Content-Type: multipart/report; report-type=delivery-status;\r\n"))
        #expect(report.text.contains("Original-Envelope-Id: envelope \(mail.id)\r\n"))
        #expect(report.text.contains("Original-Recipient: rfc822; the+one@first.test\r\n"))
        return report.text
    }

    @Test(
        "A failure gives back the message where RET=FULL asks for it, and else its header",
        arguments: [nil, "HDRS", "FULL"])
    func failure(returning: String?) async throws {
        let text = try await self.report(on: try await self.send(to: "bob@closed.test", returning: returning))
        #expect(text.contains("Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.closed.test\r\n"))
        #expect(text.contains("Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"))
        #expect(text.contains("References: <1@client.test>\r\n"))
        #expect(text.contains("Subject: Hello\r\n"))
        #expect(text.contains("Content-Type: message/rfc822\r\n") == (returning == "FULL"))
        #expect(text.contains("The body.") == (returning == "FULL"))
    }

    @Test("RET=FULL of a message over dsn.max-returned-size gives back its header")
    func tooLargeToReturn() async throws {
        let body = Self.body + String(repeating: "More of it.\r\n", count: 400)
        let text = try await self.report(
            on: try await self.send(to: "bob@closed.test", returning: "FULL", body: body))
        #expect(text.contains("Subject: Hello\r\n") && !text.contains("More of it."))
    }

    @Test("A success is told as relayed where the last host has no DSN; a host with DSN is told of NOTIFY instead")
    func success() async throws {
        let lab = try SharedLab.lab
        let text = try await self.report(on: try await self.send(to: "bob@bravo.test", notify: "SUCCESS"))
        #expect(text.contains("Action: relayed\r\nStatus: 2.0.0\r\nRemote-MTA: dns; mx.bravo.test\r\n"))

        let handed = try await self.send(to: "bob@dsn.test", notify: "SUCCESS,DELAY")
        #expect(try await lab.firstOutcome(of: handed.id).kind == .send)
        #expect(try await lab.reports(on: handed.id).isEmpty)
        let commands = lab.peer("dsn.test").server.commands
        #expect(commands.contains("RCPT TO:<bob@dsn.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;the+2Bone@first.test"))
    }

    @Test("NEVER is never; a success that nobody asked for is not told", arguments: ["NEVER", nil, "SUCCESS"])
    func unwanted(notify: String?) async throws {
        let lab = try SharedLab.lab
        let failing = try await self.send(to: "bob@closed.test", notify: notify)
        #expect(try await lab.firstOutcome(of: failing.id).kind == .fail)
        #expect(try await lab.reports(on: failing.id).isEmpty == (notify != nil))
        let delivered = try await self.send(to: "bob@bravo.test", notify: notify)
        #expect(try await lab.firstOutcome(of: delivered.id).kind == .send)
        #expect(try await lab.reports(on: delivered.id).isEmpty == (notify != "SUCCESS"))
    }

    @Test("A delay is told once, and the end after it: expired, with a code of class 5 and the last reply")
    func delayAndExpiry() async throws {
        let lab = try SharedLab.lab
        let mail = try await self.send(to: "bob@busy.test")
        try await lab.wait(for: mail.id) { $0.contains { $0.kind == .fail } }
        let server = lab.peer("alpha.test").server
        let areThere = await server.wait(within: .seconds(20)) { record in
            record.received.count { $0.recipients == [mail.sender] } >= 2
        }
        #expect(areThere)
        let reports = server.received.filter { $0.recipients == [mail.sender] }.map(\.text)
        #expect(reports.count == 2)
        let delay = try #require(reports.first { $0.contains("Action: delayed\r\nStatus: 4.2.1\r\n") })
        #expect(delay.contains("Will-Retry-Until: "))
        let failure = try #require(reports.first { $0.contains("Action: failed\r\nStatus: 5.2.1\r\n") })
        #expect(failure.contains("Diagnostic-Code: smtp; 450 4.2.1 Busy\r\n"))
        #expect(failure.contains("tried until it expired"))
        let lines = await lab.relayd.waitForLogLine { $0["message_id"] == "\(mail.id)" && $0["event"] == "expiration" }
        #expect(lines?["enhanced"] == "5.2.1")
        #expect(try await lab.relayd.metric("relayd_dsn_sent_total", label: "type=\"delay\"") >= 1)
    }

    @Test("A delay that was not asked for is not told", arguments: ["FAILURE", "NEVER"])
    func noDelay(notify: String) async throws {
        let lab = try SharedLab.lab
        let mail = try await self.send(to: "bob@busy.test", notify: notify)
        try await lab.wait(for: mail.id) { $0.contains { $0.kind == .fail } }
        #expect(try await lab.reports(on: mail.id).count == (notify == "FAILURE" ? 1 : 0))
    }

    @Test("A refusal for DANE is told in the words that operators know")
    func dane() async throws {
        let text = try await self.report(on: try await self.send(to: "bob@forged.test", notify: "FAILURE"))
        // The host said nothing of the message, so it is no MTA that reported.
        #expect(text.contains("Status: 5.7.323\r\nDiagnostic-Code: x-relay; ") && !text.contains("Remote-MTA"))
        let unfolded = text.replacing("\r\n ", with: " ")
        #expect(unfolded.contains("Diagnostic-Code: x-relay; 5.7.323 tlsa-invalid: The domain failed DANE validation."))
    }

    @Test("hostile-input 14: nobody is told of a message from the null sender, whatever NOTIFY says")
    func nullSender() async throws {
        let lab = try SharedLab.lab
        for address in ["bob@closed.test", "bob@bravo.test"] {
            let mail = try await self.send(to: address, notify: "SUCCESS,FAILURE,DELAY", from: "")
            _ = try await lab.firstOutcome(of: mail.id)
            #expect(try await lab.reports(on: mail.id).isEmpty)
        }
    }

    @Test("hostile-input 24: ESC, NUL and more in a reply are made safe in report, trace and log")
    func hostileReply() async throws {
        let lab = try SharedLab.lab
        let mail = try await self.send(to: "bob@hostile.test")
        let outcome = try await lab.firstOutcome(of: mail.id)
        #expect(outcome.kind == .fail)
        let line = await lab.relayd.waitForLogLine { $0["message_id"] == "\(mail.id)" && $0["event"] == "bounce" }
        let text = try await self.report(on: mail)
        for told in [outcome.reply ?? "", line?["reply"] ?? "", text] {
            #expect(told.contains("\\x1B[2J\\x00 --=_x"))
            #expect(told.utf8.allSatisfy { [9, 10, 13].contains($0) || (0x20...0x7e).contains($0) })
        }
        #expect(text.ranges(of: "\r\nAction: ").count == 1)
    }
}
