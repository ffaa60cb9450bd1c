import DeliveryQueue
import MailModel
import OperatingSystem
import QueueStore
import SMTPProtocol
import TestLiterals
import Testing

@testable import Delivery

/// The reports to senders, as messages for the queue.
@Suite("Reports to senders")
struct NotificationWriterTests {
    private let header = ReturnedContent.header(Array("Subject: x\r\n\r\n".utf8))

    /// The reports after an attempt in which one host gave these answers.
    private func reports(
        _ entry: QueueEntry, _ answers: [AttemptOutcome], returning content: ReturnedContent? = nil,
        atSecond second: Int64 = 60, capacity: Int? = nil
    ) -> [NotificationWriter.Reports] {
        var attempt = HostAttempt(address: .loopback)
        attempt.outcomes = Dictionary(uniqueKeysWithValues: answers.enumerated().map { ($0.offset, $0.element) })
        let report = AttemptReport(tries: [attempt], recipients: entry.recipients.count)
        let plan = NotificationPlan(
            entry.decision(report, atSecond: second), notify: entry.recipients.map { $0.envelope?.notify },
            sender: entry.reversePath ?? .null, schedule: .standard, arrival: entry.arrival,
            now: Timestamp(seconds: second), isDelayNotified: entry.isDelayNotified)
        var writer = NotificationWriter(
            entry: entry, plan: plan, from: "mailer@relay.test", reportingMTA: "relay.test",
            now: Timestamp(seconds: second), random: .system)
        if let capacity { writer.capacity = capacity }
        return writer.reports(returning: content ?? self.header)
    }

    /// The reports on an entry all of whose recipients are unknown.
    private func failures(_ entry: QueueEntry, returning content: ReturnedContent? = nil) -> [AcceptedMessage] {
        self.reports(entry, entry.recipients.map { _ in .refused(.unknownUser) }, returning: content)
            .flatMap(\.messages)
    }

    private func text(_ message: AcceptedMessage) -> String {
        if case .inline(let bytes) = message.body { String(decoding: bytes, as: UTF8.self) } else { "" }
    }

    @Test("RFC 3464: a report goes from the null sender to the sender, and names recipient, status, host and reply")
    func reportsFailure() throws {
        let message = try #require(self.failures(.of()).first)
        #expect(message.sender.isEmpty)
        #expect(message.entries.map(\.domain) == ["alpha.test"])
        #expect(message.entries[0].recipients == [QueueRecipient(address: "alice@alpha.test")])
        let text = self.text(message)
        #expect(text.contains("From: Mail Delivery System <mailer@relay.test>\r\n"))
        #expect(text.contains("Final-Recipient: rfc822; bob@bravo.test\r\n"))
        #expect(text.contains("Status: 5.1.1\r\nRemote-MTA: dns; [127.0.0.1]\r\n"))
        #expect(text.contains("Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"))
    }

    @Test("What we found without asking the host is told as ours, and names no host as one that reported (field C3)")
    func finding() throws {
        let message = try #require(self.reports(.of(), [.unsuitable(.noEightBitMIME)]).first?.messages.first)
        let text = self.text(message)
        #expect(text.contains("Status: 5.6.3\r\nDiagnostic-Code: x-relay; 5.6.3 unsupported-by-host: "))
        #expect(!text.contains("Remote-MTA") && !text.contains("smtp;"))
    }

    @Test(
        "hostile-input 14: about a message from the null sender nobody is told", arguments: ["", "no mailbox at all"])
    func noReport(sender: String) { #expect(self.failures(.of(sender: sender)).isEmpty) }

    @Test("One attempt makes one report of each kind, on those whom it concerns")
    func kinds() {
        let recipients = ["SUCCESS", "FAILURE", "DELAY", "NEVER"].enumerated().map {
            QueueRecipient(address: "r\($0.offset)@bravo.test", notify: $0.element, originalRecipient: "rfc822;o+2Bo")
        }
        let entry = QueueEntry.to(recipients)
        let answers: [AttemptOutcome] = [
            .accepted(.accepted), .refused(.unknownUser), .deferred(.busy), .refused(.unknownUser),
        ]
        let reports = self.reports(entry, answers, atSecond: 4 * 3600)
        #expect(reports.map(\.action) == [.failed, .delayed, .relayed])
        #expect(reports.allSatisfy { $0.messages.count == 1 })
        for (report, recipient) in zip(reports, ["r1", "r2", "r0"]) {
            let text = self.text(report.messages[0])
            #expect(text.ranges(of: "Original-Recipient: rfc822; o+o\r\nFinal-Recipient: rfc822; ").count == 1)
            #expect(text.contains("Final-Recipient: rfc822; \(recipient)@bravo.test\r\n"))
            #expect(text.contains("Action: \(report.action.rawValue)\r\n"))
        }
    }

    @Test("Many recipients make several reports, each small enough for one row, and nobody is left out")
    func reportsAreBounded() {
        let recipients = (0..<250).map { "user\($0)@bravo.test" }
        let header = Array(String(repeating: "X-Long: \(String(repeating: "x", count: 900))\r\n", count: 36).utf8)
        let reports = self.failures(.of(recipients), returning: .header(header))
        #expect(reports.count > 1)
        #expect(reports.allSatisfy { $0.size <= QueueLimits.inlineBody })
        let text = reports.map(self.text).joined()
        #expect(recipients.allSatisfy { text.contains("Final-Recipient: rfc822; \($0)\r\n") })
    }

    @Test("What a stranger sent to 1,000 unknown recipients comes back as one report, smaller than it was (field A3)")
    func strangersReports() throws {
        let recipients = (0..<1000).map { "user\($0)@bravo.test" }
        let header = Array(String(repeating: "X-Long: \(String(repeating: "x", count: 900))\r\n", count: 33).utf8)
        let commands = recipients.reduce(0) { $0 + "RCPT TO:<\($1)>\r\n".utf8.count }
        // Whether the sender asks for all of it back or not.
        for content in [ReturnedContent.header(header), .message(header + Array("\r\nx\r\n".utf8))] {
            let reports = self.failures(.of(recipients, clientMayRelay: false), returning: content)
            #expect(reports.count == 1)
            #expect(reports[0].size <= 16 * 1024 && reports[0].size < (header.count + commands) / 3)
            let text = self.text(reports[0])
            #expect(text.ranges(of: "\r\nFinal-Recipient: ").count == 16)
            #expect(text.contains("Final-Recipient: rfc822; user15@bravo.test\r\n"))
            #expect(text.contains("X-Relay-Unlisted-Recipients: 984\r\n"))
        }
    }

    @Test("A report for which there is less capacity gives back less of the header, then lists fewer (field A3)")
    func shorterReports() throws {
        let header =
            "X-Long: \(String(repeating: "x", count: 3000))\r\nSubject: Hello\r\nMessage-ID: <1@alpha.test>\r\n\r\n"
        let entry = QueueEntry.of((0..<4).map { "user\($0)@bravo.test" }, clientMayRelay: false)
        let answers = entry.recipients.map { _ in AttemptOutcome.refused(.unknownUser) }
        func text(within capacity: Int) throws -> String {
            let reports = self.reports(entry, answers, returning: .header(Array(header.utf8)), capacity: capacity)
            return self.text(try #require(reports.first?.messages.first))
        }
        let long = try text(within: 16 * 1024)
        #expect(long.contains("X-Long") && long.ranges(of: "\r\nFinal-Recipient: ").count == 4)
        let short = try text(within: long.utf8.count - 1000)
        #expect(!short.contains("X-Long") && short.contains("\r\nSubject: Hello\r\nMessage-ID: <1@alpha.test>\r\n"))
        #expect(short.utf8.count <= long.utf8.count - 1000)
        let shortest = try text(within: 0)
        #expect(shortest.utf8.count < 2048 && shortest.contains("X-Relay-Unlisted-Recipients: 3\r\n"))
    }

    @Test("A stranger's report goes to no address literal, however it is spelt; one of who may relay does (field C16)")
    func literalSenders() throws {
        for sender in ["eve@10-0-0-5.address-literal.invalid", "eve@[10.0.0.5]"] {
            #expect(self.failures(.of(["bob@bravo.test"], sender: sender, clientMayRelay: false)).isEmpty)
        }
        #expect(self.failures(.of(["bob@bravo.test"], sender: "eve@10-0-0-5.address-literal.invalid")).isEmpty)
        let reports = self.failures(.of(["bob@bravo.test"], sender: "alice@[192.0.2.1]"))
        #expect(reports.map(\.entries.first?.domain) == ["192-0-2-1.address-literal.invalid"])
    }

    @Test("A report on a stranger's message stays small whatever a host said (field A3)")
    func longReplies() throws {
        let long = RemoteReply(550, nil, String(repeating: "y", count: 2000))
        let entry = QueueEntry.of((0..<20).map { "user\($0)@bravo.test" }, clientMayRelay: false)
        let reports = self.reports(entry, entry.recipients.map { _ in .refused(long) }).flatMap(\.messages)
        #expect(reports.count == 1 && reports[0].size <= 16 * 1024)
        let text = self.text(try #require(reports.first))
        #expect(text.contains("X-Relay-Unlisted-Recipients: ") && text.contains("Final-Recipient: rfc822; user0@"))
    }

    @Test(
        "A whole message that exceeds the capacity is cut to its header, and a header that grows by escaping is cut, too"
    )
    func cutToHeader() {
        let line = "Body " + String(repeating: "x", count: 900) + "\r\n"
        let whole = Array(("Subject: x\r\n\r\n" + String(repeating: line, count: 72)).utf8)
        let report = self.failures(.of(), returning: .message(whole)).map(self.text)
        #expect(report.count == 1 && report[0].contains("Subject: x\r\n") && !report[0].contains("Body"))
        let header = Array(String(repeating: "X-Umlaut: \(String(repeating: "ü", count: 400))\r\n", count: 40).utf8)
        let escaped = self.failures(.of(), returning: .header(header))
        #expect(escaped.count == 1 && self.text(escaped[0]).contains("X-Umlaut"))
        #expect(escaped.allSatisfy { $0.size <= QueueLimits.inlineBody })
    }

    @Test("The attributes of a report say truthfully what its hosts must be able to take")
    func attributes() throws {
        let plain = try #require(self.failures(.of()).first)
        #expect(!plain.attributes.isEightBit && !plain.attributes.isSMTPUTF8)
        // Deliverable to hosts without 8BITMIME, whatever was to be given back.
        let eightBit = try #require(
            self.failures(.of(), returning: .message(Array("Subject: x\r\n\r\nGrüße\r\n".utf8))).first)
        #expect(!eightBit.attributes.isEightBit && !eightBit.attributes.isSMTPUTF8)
        #expect(self.text(eightBit).contains("\r\nSubject: x\r\n") && !self.text(eightBit).contains("Gr"))
        let sevenBit = try #require(
            self.failures(.of(), returning: .message(Array("Subject: x\r\n\r\nGruss\r\n".utf8))).first)
        #expect(self.text(sevenBit).contains("\r\nGruss\r\n"))
        let international = try #require(self.failures(.of(sender: "jörg@alpha.test")).first)
        #expect(international.attributes.isEightBit && international.attributes.isSMTPUTF8)
        #expect(international.entries[0].recipients == [QueueRecipient(address: "jörg@alpha.test")])
    }

    @Test("hostile-input 24: a reply of 100 KB with ESC, NUL and a boundary is told in 2 KiB of printable ASCII")
    func hostileReply() throws {
        let hostile = RemoteReply(
            550, EnhancedStatusCode(.permanentFailure, 1, 1),
            lines: ["\u{1b}[2J\0 --=_x"] + Array(repeating: String(repeating: "y", count: 1024), count: 100))
        let message = try #require(self.reports(.of(), [.refused(hostile)]).first?.messages.first)
        #expect(message.size < 8192)
        #expect(self.text(message).utf8.allSatisfy { [9, 10, 13].contains($0) || (0x20...0x7e).contains($0) })
        #expect(self.text(message).contains("\\x1B[2J\\x00 --=_x"))
    }
}
