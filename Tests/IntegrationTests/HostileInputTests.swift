import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

extension Trait where Self == SharedLab {
    /// A relay that takes mail for `ours.test` from anyone, and for nothing else.
    fileprivate static var edgeRelay: Self {
        var options = LabRelayOptions()
        options.settings = [
            "relay-networks": "[]", "accepted-domains": "[{domain: ours.test}]", "smtp.max-recipients": "100",
            // All tests come from one address.
            "smtp.max-connections-per-address": "1000",
        ]
        return .lab([.dane("ours.test")], options)
    }
}

/// The cases of the list of hostile inputs that concern the whole program; the numbers are that list's.
@Suite("Hostile input", .edgeRelay, .timeLimit(.minutes(2)))
struct HostileInputTests {
    enum Transport: CaseIterable { case cleartext, tls }

    private func dialog<Value: Sendable>(
        _ transport: Transport = .cleartext, within limit: Duration = .seconds(60),
        _ body: (inout SMTPDialog) async throws -> Value
    ) async throws -> Value {
        try await SMTPDialog.with(port: try SharedLab.lab.smtpPort, within: limit) { smtp in
            try await smtp.hello()
            if transport == .tls { try await smtp.startTLS() }
            return try await body(&smtp)
        }
    }

    /// Greeting, EHLO, STARTTLS where that is wanted, and then the script.
    private func play(
        _ transport: Transport, within limit: Duration = .seconds(60), _ script: ClientScript
    ) async throws {
        let hello = ClientScript(transport == .tls ? .secureHello : .hello)
        try await (hello + script).play(port: try SharedLab.lab.smtpPort, within: limit)
    }

    /// The same in clear.
    private func play(_ script: ClientScript) async throws { try await self.play(.cleartext, script) }

    // MARK: Content

    @Test(
        "hostile-input 1: a false end of data never ends it, and the message is refused after the real end",
        arguments: [
            "\n.\n", "\n.\r", "\r.\n", "\r.\r", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n\0.\r\n", "\r\n.\r\r\n",
            "\r\r\n.\r\r\n",
        ], Transport.allCases)
    func falseEnd(_ sequence: String, _ transport: Transport) async throws {
        let recipient = "smuggled-\(UUID().uuidString)@ours.test"
        let smuggled = "MAIL FROM:<b@client.test>\r\nRCPT TO:<\(recipient)>\r\nDATA\r\nSubject: two\r\n\r\nx"
        try await self.play(
            transport,
            [
                .envelope(to: recipient), .content("Subject: one\r\n\r\nfirst\(sequence)\(smuggled)"),
                .afterDot(.expect(554)),
                // The next reply is that of the next command: nothing between was run.
                .send("NOOP"), .expect(250), .send("QUIT"), .expect(221), .closed,
            ])
        #expect(try await SharedLab.lab.receptions(for: recipient) == 0)
    }

    @Test("hostile-input 10: what SQL or a shell would read in an address is stored and sent as it came")
    func metacharacters() async throws {
        let lab = try SharedLab.lab
        let sender = #""x'; DROP TABLE relay.ready_0; --"@client.test"#
        let recipient = "'or'1'='1`$id`|x@ours.test"
        let reply = try await self.dialog { smtp in
            try await smtp.submit(from: sender, to: [recipient], "Subject: '); DELETE FROM relay.trace; --\n\n$(id)\n")
        }
        let id = try #require(reply.messageID, "\(reply)")
        let trace = try await lab.wait(for: id) { $0.count == 2 }
        #expect(trace.map(\.recipients) == [recipient, recipient])
        let mail = try #require(lab.peer("ours.test").server.received.first { $0.recipients == [recipient] })
        #expect(mail.reversePath == sender)
        #expect(mail.text.hasSuffix("Subject: '); DELETE FROM relay.trace; --\r\n\r\n$(id)\r\n"))
    }

    @Test(
        "hostile-input 3: a bare CR, a bare LF or a NUL is refused, not repaired, in header and body",
        arguments: ["\r", "\n", "\0"])
    func bareBytes(_ byte: String) async throws {
        for content in ["Sub\(byte)ject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbo\(byte)dy\r\n"] {
            try await self.play([
                .envelope(to: "bare@ours.test"), .content(content), .afterDot(.expect(554)),
                // Case 8: nothing of the refused transaction is left.
                .send("RCPT TO:<bare@ours.test>"), .expect(503),
            ])
        }
        #expect(try await SharedLab.lab.receptions(for: "bare@ours.test") == 0)
    }

    @Test(
        "hostile-input 3: a command that ends in a bare LF, or holds a NUL, ends the session",
        arguments: ["NOOP\n", "NO\0OP\r\n"])
    func bareCommand(_ line: String) async throws {
        try await self.play([.bytes(line), .expect(500), .closed])
    }

    @Test(
        "A client that ends its side behind QUIT hears all that it is owed (field C14)", arguments: Transport.allCases)
    func halfClose(_ transport: Transport) async throws {
        for message in ["Subject: x\r\n\r\nx\r\n", "Subject: x\r\n\r\n" + String(repeating: "x\r\n", count: 100_000)] {
            let recipient = "half-closed-\(UUID().uuidString)@ours.test"
            try await self.play(
                transport,
                [
                    .envelope(to: recipient), .content("\(message).\r\nQUIT\r\n"), .endSending, .expect(250, 221),
                    .closed,
                ])
            #expect(try await SharedLab.lab.receptions(for: recipient) == 1)
        }
        let recipient = "chunk-\(UUID().uuidString)@ours.test"
        try await self.play(
            transport,
            [
                .send(
                    "MAIL FROM:<a@client.test>", "RCPT TO:<\(recipient)>", "BDAT 3 LAST", "\r\nxQUIT"),
                .endSending, .expect(250, 250, 250, 221), .closed,
            ])
        #expect(try await SharedLab.lab.receptions(for: recipient) == 1)
    }

    @Test("A client that ends its side within a message leaves nothing (field C14)", arguments: Transport.allCases)
    func halfCloseWithinContent(_ transport: Transport) async throws {
        let recipient = "cut-off-\(UUID().uuidString)@ours.test"
        try await self.play(
            transport,
            [.envelope(to: recipient), .content("Subject: x\r\n\r\nx\r\n"), .endSending, .closed])
        #expect(try await SharedLab.lab.receptions(for: recipient) == 0)
    }

    @Test("A body of 5 MiB, staged in chunks, arrives as it was sent")
    func largeBody() async throws {
        let lab = try SharedLab.lab
        let lines = (0..<(5 << 20) / 64).map { number in
            let digits = "\(number)"
            return (number % 7 == 0 ? "." : "") + digits + String(repeating: "x", count: 62 - digits.count)
        }
        let message = "Subject: large\r\n\r\n" + lines.joined(separator: "\r\n") + "\r\n"
        let reply = try await self.dialog(.tls) { smtp in
            try await smtp.submit(from: "a@client.test", to: ["large@ours.test"], String(message.dropLast(1)))
        }
        #expect(reply.code == 250)
        let server = lab.peer("ours.test").server
        let isThere = await server.wait(within: .seconds(30)) {
            $0.received.contains { $0.recipients == ["large@ours.test"] }
        }
        #expect(isThere)
        let mail = try #require(server.received.first { $0.recipients == ["large@ours.test"] })
        #expect(mail.content.count > 5 << 20)
        #expect(mail.content.suffix(message.utf8.count).elementsEqual(message.utf8))
    }

    @Test("A message of 55 MiB is refused with 552, at MAIL where it is announced and at its end where it is not")
    func tooLarge() async throws {
        let size = 55 << 20
        let piece = String(repeating: String(repeating: "y", count: 62) + "\r\n", count: 16_384)
        try await self.play(
            .cleartext, within: .seconds(100),
            [
                .send("MAIL FROM:<a@client.test> SIZE=\(size)"), .expect(552),
                .envelope(to: "huge@ours.test"), .content(""), .bytes(piece, times: size / piece.utf8.count),
                .afterDot(.expect(552)), .send("NOOP"), .expect(250),
            ])
        #expect(try await SharedLab.lab.receptions(for: "huge@ours.test") == 0)
    }

    @Test(
        "hostile-input 2: the true end split at every byte ends a message, which is queued once",
        arguments: Transport.allCases)
    func splitEnd(_ transport: Transport) async throws {
        let recipient = "split-\(transport)@ours.test"
        for (first, rest) in [("\r\n.\r", "\n"), ("\r\n.", "\r\n"), ("\r\n", ".\r\n"), ("\r", "\n.\r\n")] {
            try await self.play(
                transport,
                [
                    .envelope(to: recipient), .content("Subject: split\r\n\r\nx\(first)"),
                    // Long enough for the first part to be read by itself.
                    .stall(.milliseconds(50)), .bytes(rest), .expect(250), .send("NOOP"), .expect(250),
                ])
        }
        #expect(try await SharedLab.lab.receptions(for: recipient) == 4)
    }

    @Test(
        "hostile-input 7: a disconnect in the middle of a chunk queues nothing; a message in chunks arrives",
        arguments: Transport.allCases)
    func chunks(_ transport: Transport) async throws {
        let recipient = "chunks-\(transport)@ours.test"
        let start: ClientScript = [
            .envelope(to: recipient), .send("BDAT 14", "Subject: x", ""), .expect(250),
        ]
        try await self.play(transport, start + [.send("BDAT 100 LAST", "abc"), .hangUp])
        try await self.play(transport, start + [.send("BDAT 0 LAST"), .expect(250)])
        #expect(try await SharedLab.lab.receptions(for: recipient) == 1)
    }

    @Test("hostile-input 14: 100 Received fields are a long way, 101 are a loop: 554 5.4.6 (field C13a)")
    func receivedFields() async throws {
        for (count, answer) in [(100, "250 2."), (101, "554 5.4.6 ")] {
            let fields = String(repeating: "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n", count: count)
            let reply = try await self.dialog { smtp in
                try await smtp.submit(from: "a@client.test", to: ["loop@ours.test"], fields + "Subject: x\n\nx")
            }
            #expect(reply.description.hasPrefix(answer), "\(reply)")
        }
    }

    @Test("hostile-input 12: a domain in U-labels is the domain of its A-labels, and no way around the policy")
    func internationalRelay() async throws {
        try await self.play([
            .send("MAIL FROM:<jörg@bücher.test>"), .expect(553),
            .send("MAIL FROM:<jörg@bücher.test> SMTPUTF8"), .expect(250),
            .send("RCPT TO:<bob@bücher.test>", "RCPT TO:<用户@ours.test>"), .expect(550, 250),
        ])
    }

    // MARK: STARTTLS

    @Test("hostile-input 4: what comes behind STARTTLS in the same segment is never run (RFC 3207 §6)")
    func injection() async throws {
        try await self.play([.send("STARTTLS", "RSET"), .expect(554), .closed])
    }

    @Test("hostile-input 4: STARTTLS takes no argument, is done once, and forgets EHLO and MAIL (RFC 3207 §4.2)")
    func startTLSRules() async throws {
        try await self.dialog { smtp in
            #expect(try await smtp.say("STARTTLS now").code == 501)
            #expect(try await smtp.say("MAIL FROM:<a@client.test>").code == 250)
            try await smtp.secure()
            #expect(try await smtp.say("RCPT TO:<bob@ours.test>").code == 503)
            #expect(try await smtp.say("MAIL FROM:<a@client.test>").code == 503)
            let offered = try await smtp.hello()
            #expect(!offered.description.contains("STARTTLS"))
            #expect(try await smtp.say("STARTTLS").code == 503)
            #expect(try await smtp.say("MAIL FROM:<a@client.test>").code == 250)
        }
    }

    // MARK: Limits

    @Test(
        "hostile-input 6: a command line over the limit is answered 500, and the session lives",
        arguments: Transport.allCases)
    func longLine(_ transport: Transport) async throws {
        let long = String(repeating: "x", count: 3000)
        try await self.play(transport, [.send("NOOP \(long)"), .expect(500), .send("NOOP"), .expect(250)])
    }

    @Test("hostile-input 6: 10 MB without a newline end the connection, and memory stays flat")
    func endlessLine() async throws {
        let process = try #require(try SharedLab.lab.relayd.processIdentifier)
        let before = try ProcessMemory.resident(of: process)
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    // The server has said its last word long before the end, and drops the rest.
                    let piece = String(repeating: "x", count: 65_536)
                    try await self.play([.bytes(piece, times: 160), .expect(500), .closed])
                }
            }
            try await group.waitForAll()
        }
        let growth = try ProcessMemory.resident(of: process) - before
        // 80 MB were offered. Other tests use the same process, so that a few megabytes say nothing.
        #expect(growth < 40 << 20, "grew by \(growth) bytes")
    }

    @Test("hostile-input 11: the recipient over the limit is answered 452, and those before it stand")
    func tooManyRecipients() async throws {
        let recipients = (1...101).map { "RCPT TO:<r\($0)@ours.test>" }
        try await self.play([
            .send("MAIL FROM:<a@client.test>"), .expect(250), .lines(recipients),
            .replies(Array(repeating: "250", count: 100) + ["452"]),
            .content("Subject: many\r\n\r\nx"), .afterDot(.expect(250)),
        ])
    }

    @Test(
        "hostile-input 11: the 20th error and the 100th NOOP end the session with 421",
        arguments: [("XYZZY", 20), ("NOOP", 100)])
    func patience(command: String, limit: Int) async throws {
        try await self.dialog { smtp in
            var replies = 0
            while replies < 200 {
                replies += 1
                if try await smtp.say(command).code == 421 { break }
            }
            // EHLO counts among the commands without effect.
            #expect((limit - 1...limit).contains(replies))
            try await smtp.play([.closed])
        }
    }

    @Test(
        "hostile-input 12: no spelling of an address makes an open relay",
        arguments: [
            "bob@else.test", "bob@ELSE.TEST", "bob@else.test.", "@ours.test:bob@else.test", "bob%else.test@ours.test",
            "else.test!bob@ours.test", "\"bob@else.test\"@ours.test", "bob@[127.0.0.1]", "bob@ours.test.else.test",
            "bob@xn--bcher-kva.test", "@ours.test,@ours.test:bob%else.test@ours.test",
        ])
    func openRelay(_ path: String) async throws {
        try await self.play([
            .send("MAIL FROM:<a@client.test>"), .expect(250), .send("RCPT TO:<\(path)>"), .expect(550),
            .send("DATA"), .expect(554),
            // And ours, in any case of letters.
            .send("RCPT TO:<bob@OURS.Test>"), .expect(250),
        ])
    }
}
