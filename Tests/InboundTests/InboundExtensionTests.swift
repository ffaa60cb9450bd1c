import MailModel
import NIOCore
import SMTPProtocol
import Synchronization
import TestLiterals
import Testing

@testable import Inbound
@testable import QueueStore

/// What the extensions of SMTP come to in the message that is stored.
@Suite("Inbound extensions", .timeLimit(.minutes(3)))
struct InboundExtensionTests {
    private func stored(_ client: InboundClient) throws -> AcceptedMessage {
        try #require(client.store.stored.withLock { $0.last })
    }

    private func text(_ message: AcceptedMessage) throws -> String {
        guard case .inline(let bytes) = message.body else { throw Unexpected() }
        return String(decoding: bytes, as: UTF8.self)
    }

    struct Unexpected: Error {}

    private static let envelope = "MAIL FROM:<alice@alpha.test>\r\nRCPT TO:<bob@bravo.test>\r\n"

    // MARK: BDAT

    @Test("Chunks that come in one segment are one message, answered 250 each, the last after the COMMIT")
    func chunks() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.hello()
            try await client.send(
                Self.envelope + "BDAT 14\r\nSubject: x\r\n\r\nBDAT 3\r\n.\r\nBDAT 4 LAST\r\nlast")
            #expect(try await client.codes() == ["250", "250", "250", "250"])
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250"])
            #expect(
                try self.text(try self.stored(client)).hasSuffix(
                    "\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\nSubject: x\r\n\r\n.\r\nlast\r\n"))
        }
    }

    @Test("Byte by byte, chunks come to the same")
    func chunksByteByByte() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.hello()
            try await client.sendSlowly(Self.envelope + "BDAT 6\r\nBDAT 9BDAT 2 LAST\r\n\r\n")
            #expect(try await client.codes() == ["250", "250", "250"])
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250"])
            #expect(try self.text(try self.stored(client)).hasSuffix("\r\nBDAT 9\r\n"))
        }
    }

    @Test(
        "hostile-input 7: a disconnect in the middle of a chunk, or between two, leaves nothing", arguments: ["", "yy"])
    func disconnectWithinChunk(rest: String) async throws {
        try await InboundClient.with { client in
            try await client.hello()
            try await client.send(Self.envelope + "BDAT 3\r\nx\r\nBDAT 4\r\ny\r" + rest)
            try await client.channel.close()
            #expect(client.store.stored.withLock { $0.isEmpty })
        }
    }

    @Test("hostile-input 8: RSET between chunks drops what there was, and the next message is whole")
    func resetBetweenChunks() async throws {
        try await InboundClient.with(isStoreGated: true) { client in
            try await client.hello()
            try await client.send(Self.envelope + "BDAT 3\r\nx\r\nRSET\r\nBDAT 3 LAST\r\ny\r\n")
            #expect(try await client.codes() == ["250", "250", "250", "250", "503"])
            try await client.send(Self.envelope + "BDAT 3 LAST\r\nz\r\n")
            #expect(try await client.codes() == ["250", "250"])
            client.store.answer()
            #expect(try await client.codesWhenStored() == ["250"])
            let text = try self.text(try self.stored(client))
            #expect(text.hasSuffix("\r\nz\r\n") && !text.contains("x\r\n") && !text.contains("y\r\n"))
        }
    }

    @Test("hostile-input 15: chunks must come at the rate of content; one now and then moves no deadline")
    func slowChunks() async throws {
        try await InboundClient.with { client in
            try await client.hello()
            try await client.send(Self.envelope)
            _ = try await client.codes()
            for _ in 0..<17 {
                try await client.send("BDAT 1\r\nx")
                #expect(try await client.codes() == ["250"])
                await client.advance(10)
            }
            await client.advance(11)
            #expect(try await client.codes() == ["421"])
        }
    }

    @Test("DESIGN §7.7: a drain waits for the last chunk of a message that has begun")
    func drainBetweenChunks() async throws {
        try await InboundClient.with { client in
            try await client.hello()
            try await client.send(Self.envelope + "BDAT 3\r\nx\r\n")
            _ = try await client.codes()
            try await client.drain()
            #expect(client.isOpen)
            try await client.send("BDAT 0 LAST\r\n")
            #expect(try await client.codesWhenStored() == ["250", "421"])
        }
    }

    // MARK: DSN, SMTPUTF8, trace

    @Test("RET, ENVID, NOTIFY and ORCPT are stored with the message, for each recipient its own")
    func notifications() async throws {
        try await InboundClient.with(address: .loopback) { client in
            try await client.hello()
            try await client.send("MAIL FROM:<alice@alpha.test> RET=HDRS ENVID=QQ+2B314\r\n")
            try await client.send("RCPT TO:<bob@bravo.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+40bravo.test\r\n")
            try await client.send("RCPT TO:<carol@bravo.test>\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "250", "250", "354"])
            try await client.send("x\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try self.stored(client)
            #expect(message.attributes.dsnReturn == .headers && message.attributes.envelopeID == "QQ+314")
            #expect(
                message.entries.first?.recipients == [
                    QueueRecipient(
                        address: "bob@bravo.test", notify: "SUCCESS,DELAY", originalRecipient: "rfc822;B@bravo.test"),
                    QueueRecipient(address: "carol@bravo.test"),
                ])
        }
    }

    @Test("A stranger is offered no DSN, and can ask for no report of success, nor for the whole message (field A3)")
    func strangersNotifications() async throws {
        try await InboundClient.with { client in
            let isOffered = try await client.offers("DSN")
            #expect(!isOffered)
            try await client.send("MAIL FROM:<victim@alpha.test> RET=FULL\r\n")
            try await client.send("RCPT TO:<bob@bravo.test> NOTIFY=SUCCESS,DELAY\r\n")
            try await client.send("RCPT TO:<carol@bravo.test> NOTIFY=SUCCESS\r\n")
            try await client.send("RCPT TO:<dave@bravo.test> NOTIFY=FAILURE\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "250", "250", "250", "354"])
            try await client.send("x\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try self.stored(client)
            #expect(!message.attributes.mayRelay && message.attributes.dsnReturn == .headers)
            // Who asked for success only asked for no report of failure.
            #expect(message.entries.first?.recipients.map(\.notify) == ["DELAY", "NEVER", "FAILURE"])
        }
        try await InboundClient.with(address: .loopback) { client in
            let isOffered = try await client.offers("DSN")
            #expect(isOffered)
        }
    }

    @Test("An international message is stored as one, with A-labels in its addresses and UTF8SMTP in its trace field")
    func international() async throws {
        let conversion = DomainNameConversion(identifier: "test") { _ in DomainName("xn--bcher-kva.test") }
        try await InboundClient.with(address: .v4(0x7F00_0001), domainConversion: conversion) { client in
            try await client.hello()
            try await client.send("MAIL FROM:<jörg@bücher.test> SMTPUTF8\r\nRCPT TO:<用户@bücher.test>\r\nDATA\r\n")
            #expect(try await client.codes() == ["250", "250", "354"])
            try await client.send("Subject: Grüße\r\n\r\nx\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try self.stored(client)
            #expect(message.sender == "jörg@xn--bcher-kva.test")
            #expect(message.entries.map(\.domain) == ["xn--bcher-kva.test"])
            #expect(message.entries.first?.recipients.map(\.address) == ["用户@xn--bcher-kva.test"])
            #expect(message.attributes.isSMTPUTF8 && message.attributes.isEightBit)
            #expect(try self.text(message).contains("with UTF8SMTP id"))
        }
    }

    @Test(
        "Content is what it is, whatever was declared; only a declared header in UTF-8 needs SMTPUTF8",
        arguments: [
            ("", "Subject: x\r\n\r\nplain\r\n", false, false), ("", "Subject: x\r\n\r\nä\r\n", true, false),
            ("", "Subject: ä\r\n\r\nplain\r\n", true, false), (" BODY=8BITMIME", "x\r\n", false, false),
            (" SMTPUTF8", "Subject: ä\r\n\r\nplain\r\n", true, true),
            (" SMTPUTF8", "Subject: x\r\n\r\nplain\r\n", false, false),
        ])
    func eightBit(parameter: String, content: String, isEightBit: Bool, isSMTPUTF8: Bool) async throws {
        try await InboundClient.with { client in
            try await client.hello()
            try await client.send("MAIL FROM:<alice@alpha.test>\(parameter)\r\nRCPT TO:<bob@bravo.test>\r\nDATA\r\n")
            _ = try await client.codes()
            try await client.send(content + ".\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let attributes = try self.stored(client).attributes
            #expect(attributes.isEightBit == isEightBit && attributes.isSMTPUTF8 == isSMTPUTF8)
        }
    }

    @Test("hostile-input 14: a message over the limit of Received fields is 554 5.4.6, by DATA and by BDAT")
    func loop() async throws {
        var limits = SMTPServerLimits()
        limits.receivedFields = 3
        try await InboundClient.with(limits: limits) { client in
            try await client.hello()
            let content = String(repeating: "Received: x\r\n", count: 4) + "\r\n"
            try await client.send(Self.envelope + "BDAT \(content.utf8.count) LAST\r\n\(content)")
            #expect(try await client.codes() == ["250", "250", "554"])
            try await client.send(Self.envelope + "DATA\r\n")
            _ = try await client.codes()
            try await client.send(content + ".\r\n")
            #expect(try await client.codes() == ["554"])
            #expect(client.store.stored.withLock { $0.isEmpty })
        }
    }

    // MARK: AUTH

    /// NUL alice NUL secret
    private static let plain = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"

    @Test("Credentials are judged beside the event loop, and the trace field tells of AUTH")
    func authentication() async throws {
        let asked = Mutex<[SASLCredentials]>([])
        let judge: @Sendable (SASLCredentials, IPAddress) async -> SASLDecision = { credentials, address in
            asked.withLock { $0.append(credentials) }
            return address == .v4(0xC000_0201) ? .accepted(identity: "alice") : .refused
        }
        try await InboundClient.with(isSecured: true, configure: { $0.offerAuthentication(judge) }) { client in
            try await client.hello()
            try await client.send(Self.plain)
            #expect(try await client.codesWhenStored() == ["235"])
            #expect(asked.withLock { $0.map(\.authenticationID) } == ["alice"])
            try await client.send(Self.envelope + "DATA\r\n")
            _ = try await client.codes()
            try await client.send("x\r\n.\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            #expect(try self.text(try self.stored(client)).contains("with ESMTPSA id"))
        }
    }

    /// Sends one message and gives what is stored, as alice where `isSubmitted`.
    private func submit(
        _ content: String, isSubmitted: Bool = true, _ rules: SubmissionRules
    ) async throws -> (text: String, message: AcceptedMessage) {
        var stored: (String, AcceptedMessage)?
        try await InboundClient.with(
            isSecured: true,
            configure: {
                $0.submission = rules
                $0.offerAuthentication { _, _ in .accepted(identity: "alice") }
            }
        ) { client in
            try await client.hello()
            if isSubmitted {
                try await client.send(Self.plain)
                #expect(try await client.codesWhenStored() == ["235"])
            }
            try await client.send(Self.envelope + "DATA\r\n")
            _ = try await client.codes()
            try await client.send(content + ".\r\n")
            #expect(try await client.codesWhenStored() == ["250"])
            let message = try self.stored(client)
            stored = (try self.text(message), message)
        }
        return try #require(stored)
    }

    @Test(
        "A submitted message gets the Date and Message-ID that it lacks, and no other does; each field once",
        arguments: [
            ("Subject: x\r\n\r\nDate: body\r\n", true, true), ("date: now\r\n\r\nx\r\n", false, true),
            ("MESSAGE-ID: <1@a.test>\r\n\r\nx\r\n", true, false), ("Date: x\r\nMessage-ID:\r\n\r\nx\r\n", false, false),
            ("\r\nbody only\r\n", true, true), ("Subject: no body\r\n", true, true),
        ])
    func missingFields(_ content: String, addsDate: Bool, addsMessageID: Bool) async throws {
        let rules = SubmissionRules(addsMissingFields: true)
        let (text, message) = try await self.submit(content, rules)
        let identifier = "<\(message.id)@relay.test>"
        let added =
            (addsDate ? "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n" : "")
            + (addsMessageID ? "Message-ID: \(identifier)\r\n" : "")
        #expect(text.hasSuffix("\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n\(added)\(content)"))
        #expect(addsMessageID == (message.reception.messageIDField == identifier))
        #expect(try await self.submit(content, isSubmitted: false, rules).text.hasSuffix("+0000\r\n\(content)"))
        #expect(try await self.submit(content, SubmissionRules()).text.hasSuffix("+0000\r\n\(content)"))
    }

    @Test(
        "Where submitting clients are hidden, the trace field names neither host nor address; the trace in the queue does"
    )
    func hiddenClient() async throws {
        let rules = SubmissionRules(hidesClients: true)
        let (text, message) = try await self.submit("Subject: x\r\n\r\nx\r\n", rules)
        #expect(text.hasPrefix("Received: from relay.test\r\n\t"))
        #expect(!text.contains("client.test") && !text.contains("192.0.2.1"))
        #expect(message.reception.client == "192.0.2.1" && message.reception.hello == "client.test")
        let stranger = try await self.submit("Subject: x\r\n\r\nx\r\n", isSubmitted: false, rules).text
        #expect(stranger.hasPrefix("Received: from client.test ([192.0.2.1])\r\n\t"))
    }

    @Test("What is pipelined behind AUTH waits for the judgement; nothing is read and no deadline runs meanwhile")
    func waitsForJudgement() async throws {
        let (gate, opener) = AsyncStream<Void>.makeStream()
        try await InboundClient.with(
            isSecured: true,
            configure: {
                $0.offerAuthentication { _, _ in
                    for await _ in gate { break }
                    return .refused
                }
            }
        ) { client in
            try await client.hello()
            let before = client.readCount
            try await client.send(Self.plain + "NOOP\r\n")
            await client.advance(3600)
            #expect(try await client.codes().isEmpty && client.readCount == before && client.isOpen)
            opener.yield()
            var codes: [String] = []
            while codes.count < 2 { codes += try await client.codesWhenStored() }
            #expect(codes == ["535", "250"])
        }
    }

    @Test("A client that disconnects while it is judged harms nothing")
    func disconnectWhileJudged() async throws {
        let (gate, opener) = AsyncStream<Void>.makeStream()
        try await InboundClient.with(
            isSecured: true,
            configure: {
                $0.offerAuthentication { _, _ in
                    for await _ in gate { break }
                    return .accepted(identity: "alice")
                }
            }
        ) { client in
            try await client.hello()
            try await client.send(Self.plain)
            try await client.channel.close()
            opener.yield()
        }
    }
}
