import Foundation
import Lab
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

    // MARK: Content

    @Test(
        "hostile-input 1: a false end of data never ends it, and the message is refused after the real end",
        arguments: [
            "\n.\n", "\n.\r", "\r.\n", "\r.\r", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n\0.\r\n", "\r\n.\r\r\n",
            "\r\r\n.\r\r\n",
        ], Transport.allCases)
    func falseEnd(_ sequence: String, _ transport: Transport) async throws {
        let recipient = "smuggled-\(UUID().uuidString)@ours.test"
        try await self.dialog(transport) { smtp in
            for line in ["MAIL FROM:<a@client.test>", "RCPT TO:<\(recipient)>"] {
                #expect(try await smtp.say(line).code == 250)
            }
            #expect(try await smtp.say("DATA").code == 354)
            let smuggled = "MAIL FROM:<b@client.test>\r\nRCPT TO:<\(recipient)>\r\nDATA\r\nSubject: two\r\n\r\nx"
            try await smtp.send("Subject: one\r\n\r\nfirst\(sequence)\(smuggled)\r\n.\r\n")
            #expect(try await smtp.readReply().code == 554)
            // The next reply is that of the next command: nothing between was run.
            #expect(try await smtp.say("NOOP").description.hasPrefix("250"))
            #expect(try await smtp.say("QUIT").code == 221)
        }
        #expect(try await SharedLab.lab.receptions(for: recipient) == 0)
    }

    @Test(
        "hostile-input 3: a bare CR, a bare LF or a NUL is refused, not repaired, in header and body",
        arguments: ["\r", "\n", "\0"])
    func bareBytes(_ byte: String) async throws {
        for content in ["Sub\(byte)ject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbo\(byte)dy\r\n"] {
            try await self.dialog { smtp in
                try await smtp.say("MAIL FROM:<a@client.test>")
                try await smtp.say("RCPT TO:<bare@ours.test>")
                try await smtp.say("DATA")
                try await smtp.send("\(content).\r\n")
                #expect(try await smtp.readReply().code == 554)
                // Case 8: nothing of the refused transaction is left.
                #expect(try await smtp.say("RCPT TO:<bare@ours.test>").code == 503)
            }
        }
        #expect(try await SharedLab.lab.receptions(for: "bare@ours.test") == 0)
    }

    @Test(
        "hostile-input 3: a command that ends in a bare LF, or holds a NUL, ends the session",
        arguments: ["NOOP\n", "NO\0OP\r\n"])
    func bareCommand(_ line: String) async throws {
        try await self.dialog { smtp in
            try await smtp.send(line)
            #expect(try await smtp.readReply().code == 500)
            try await self.expectClosed(&smtp)
        }
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
        try await self.dialog(within: .seconds(100)) { smtp in
            #expect(try await smtp.say("MAIL FROM:<a@client.test> SIZE=\(size)").code == 552)
            #expect(try await smtp.say("MAIL FROM:<a@client.test>").code == 250)
            #expect(try await smtp.say("RCPT TO:<huge@ours.test>").code == 250)
            #expect(try await smtp.say("DATA").code == 354)
            let piece = String(repeating: String(repeating: "y", count: 62) + "\r\n", count: 16_384)
            for _ in 0..<size / piece.utf8.count { try await smtp.send(piece) }
            try await smtp.send(".\r\n")
            #expect(try await smtp.readReply().code == 552)
            #expect(try await smtp.say("NOOP").code == 250)
        }
        #expect(try await SharedLab.lab.receptions(for: "huge@ours.test") == 0)
    }

    @Test(
        "hostile-input 2: the true end split at every byte ends a message, which is queued once",
        arguments: Transport.allCases)
    func splitEnd(_ transport: Transport) async throws {
        let recipient = "split-\(transport)@ours.test"
        let message = Array("Subject: split\r\n\r\nx\r\n.\r\n".utf8)
        for rest in 1...4 {
            try await self.dialog(transport) { smtp in
                try await smtp.say("MAIL FROM:<a@client.test>")
                try await smtp.say("RCPT TO:<\(recipient)>")
                try await smtp.say("DATA")
                try await smtp.send(Array(message.dropLast(rest)))
                // Long enough for the first part to be read by itself.
                try await Task.sleep(for: .milliseconds(50))
                try await smtp.send(Array(message.suffix(rest)))
                #expect(try await smtp.readReply().code == 250)
                #expect(try await smtp.say("NOOP").code == 250)
            }
        }
        #expect(try await SharedLab.lab.receptions(for: recipient) == 4)
    }

    @Test(
        "hostile-input 7: a disconnect in the middle of a chunk queues nothing; a message in chunks arrives",
        arguments: Transport.allCases)
    func chunks(_ transport: Transport) async throws {
        let recipient = "chunks-\(transport)@ours.test"
        let start = "MAIL FROM:<a@client.test>\r\nRCPT TO:<\(recipient)>\r\nBDAT 14\r\nSubject: x\r\n\r\n"
        for rest in ["BDAT 100 LAST\r\nabc", "BDAT 0 LAST\r\n"] {
            let replies = rest.hasPrefix("BDAT 0") ? 4 : 3
            try await self.dialog(transport) { smtp in
                try await smtp.send(start + rest)
                for _ in 0..<replies { #expect(try await smtp.readReply().code == 250) }
            }
        }
        #expect(try await SharedLab.lab.receptions(for: recipient) == 1)
    }

    @Test("hostile-input 14: 50 Received fields are a long way, 51 are a loop: 554 5.4.6")
    func receivedFields() async throws {
        for (count, code) in [(50, 250), (51, 554)] {
            let fields = String(repeating: "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n", count: count)
            let reply = try await self.dialog { smtp in
                try await smtp.submit(from: "a@client.test", to: ["loop@ours.test"], fields + "Subject: x\n\nx")
            }
            #expect(reply.code == code)
            #expect(code == 250 || reply.description.contains("5.4.6"))
        }
    }

    @Test("hostile-input 12: a domain in U-labels is the domain of its A-labels, and no way around the policy")
    func internationalRelay() async throws {
        try await self.dialog { smtp in
            let refused = try await smtp.say("MAIL FROM:<jörg@bücher.test>")
            #expect(refused.code == 553)
            #expect(try await smtp.say("MAIL FROM:<jörg@bücher.test> SMTPUTF8").code == 250)
            #expect(try await smtp.say("RCPT TO:<bob@bücher.test>").code == 550)
            #expect(try await smtp.say("RCPT TO:<用户@ours.test>").code == 250)
        }
    }

    // MARK: STARTTLS

    @Test("hostile-input 4: what comes behind STARTTLS in the same segment is never run (RFC 3207 §6)")
    func injection() async throws {
        try await self.dialog { smtp in
            try await smtp.send("STARTTLS\r\nRSET\r\n")
            #expect(try await smtp.readReply().code == 554)
            try await self.expectClosed(&smtp)
        }
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
        try await self.dialog(transport) { smtp in
            let reply = try await smtp.say("NOOP " + String(repeating: "x", count: 3000))
            #expect(reply.code == 500)
            #expect(try await smtp.say("NOOP").code == 250)
        }
    }

    @Test("hostile-input 6: 10 MB without a newline end the connection, and memory stays flat")
    func endlessLine() async throws {
        let process = try #require(try SharedLab.lab.relayd.processIdentifier)
        let before = try ProcessMemory.resident(of: process)
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    try await self.dialog { smtp in
                        let piece = String(repeating: "x", count: 65_536)
                        // The server closes long before the end; writing may then fail.
                        for _ in 0..<160 { try? await smtp.send(piece) }
                        try await self.expectClosed(&smtp)
                    }
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
        try await self.dialog { smtp in
            try await smtp.say("MAIL FROM:<a@client.test>")
            for number in 1...100 { #expect(try await smtp.say("RCPT TO:<r\(number)@ours.test>").code == 250) }
            #expect(try await smtp.say("RCPT TO:<r101@ours.test>").code == 452)
            #expect(try await smtp.say("DATA").code == 354)
            try await smtp.send("Subject: many\r\n\r\nx\r\n.\r\n")
            #expect(try await smtp.readReply().code == 250)
        }
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
            try await self.expectClosed(&smtp)
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
        try await self.dialog { smtp in
            try await smtp.say("MAIL FROM:<a@client.test>")
            #expect(try await smtp.say("RCPT TO:<\(path)>").code == 550)
            #expect(try await smtp.say("DATA").code == 554)
            // And ours, in any case of letters.
            #expect(try await smtp.say("RCPT TO:<bob@OURS.Test>").code == 250)
        }
    }

    /// The server has said its last word.
    private func expectClosed(_ smtp: inout SMTPDialog, sourceLocation: SourceLocation = #_sourceLocation) async throws
    {
        for _ in 0..<2 {
            // A last 421 or 500 may stand before the end.
            guard let reply = try? await smtp.readReply() else { return }
            #expect(reply.code >= 400, sourceLocation: sourceLocation)
        }
        Issue.record("the connection is still open", sourceLocation: sourceLocation)
    }
}
