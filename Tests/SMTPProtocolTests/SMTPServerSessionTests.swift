import MailModel
import Testing

@testable import SMTPProtocol

@Suite struct SMTPServerSessionTests {
    @Test("A message passes: EHLO, MAIL, RCPT, DATA, and dots are unstuffed", arguments: Feeding.allCases)
    func message(_ feeding: Feeding) throws {
        var talk = try ServerConversation()
        talk.openMessage(feeding)
        talk.send("Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n", feeding)
        #expect(talk.transcript == ["250", "221", "closed"])
        #expect(talk.messages == ["Subject: x\r\n\r\n.dot\r\n"])
        #expect(talk.envelopes.first?.recipients.map(\.path.description) == ["<b@relay.test>"])
    }

    @Test("EHLO lists what works, and STARTTLS only before TLS (RFC 3207 §4.2)")
    func extensions() throws {
        var session = try ServerConversation().session
        var content: [UInt8] = []
        func ehlo() throws -> [String] {
            guard case .reply(let reply) = session.receive(Array("EHLO c.test\r\n".utf8).span, content: &content).action
            else { throw Unexpected() }
            return reply.lines
        }
        let plain = try ehlo()
        #expect(
            plain == [
                "mx.relay.test", "PIPELINING", "SIZE 52428800", "STARTTLS", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN",
                "LIMITS RCPTMAX=1000 MAILMAX=1000", "ENHANCEDSTATUSCODES", "HELP",
            ])
        _ = session.receive(Array("STARTTLS\r\n".utf8).span, content: &content)
        session.tlsEstablished(TLSInfo(version: "TLSv1.3", cipher: "x"))
        #expect(try ehlo() == plain.filter { $0 != "STARTTLS" })
        session.offersDSN = false
        #expect(try ehlo() == plain.filter { !["STARTTLS", "DSN"].contains($0) })
    }

    struct Unexpected: Error {}

    static let falseEnds = [
        "\n.\n", "\n.\r", "\r.\n", "\r.\r", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n\0.\r\n", "\r\n.\r\r\n",
        "\r\r\n.\r\r\n",
    ]

    @Test(
        "hostile-input 1: a false end of data never ends DATA and is refused after the real end", arguments: falseEnds,
        Feeding.allCases)
    func falseEnd(_ end: String, _ feeding: Feeding) throws {
        var talk = try ServerConversation()
        talk.openMessage(feeding)
        talk.send("Subject: x\r\n\r\nbody\(end)MAIL FROM:<smuggled@x.test>\r\n", feeding)
        #expect(talk.transcript.isEmpty)
        talk.send("\r\n.\r\nNOOP\r\n", feeding)
        #expect(talk.transcript == ["554", "250"])
        #expect(talk.messages.isEmpty)
    }

    @Test("hostile-input 2: the true end split at every byte ends DATA once")
    func splitEnd() throws {
        let content = Array("Subject: x\r\n\r\n.hidden\r\nlast\r\n.\r\n".utf8)
        for cut in content.indices {
            var talk = try ServerConversation()
            talk.openMessage()
            talk.send(Array(content[..<cut]))
            talk.send(Array(content[cut...]))
            #expect(talk.messages == ["Subject: x\r\n\r\nhidden\r\nlast\r\n"])
            #expect(talk.transcript == ["250"])
        }
    }

    @Test("hostile-input 3: a bare CR, bare LF or NUL in content is refused", arguments: ["\r", "\n", "\0"])
    func bareInContent(_ byte: String) throws {
        for feeding in Feeding.allCases {
            var talk = try ServerConversation()
            talk.openMessage(feeding)
            talk.send("Subject: a\(byte)b\r\n\r\n.\r\n", feeding)
            #expect(talk.transcript == ["554"] && talk.messages.isEmpty)
        }
    }

    @Test("hostile-input 3: a bare CR, bare LF or NUL in a command is refused", arguments: ["\r", "\n", "\0"])
    func bareInCommand(_ byte: String) throws {
        for feeding in Feeding.allCases {
            var talk = try ServerConversation()
            talk.send("EHLO c.test\(byte)RSET\r\nNOOP\r\n", feeding)
            #expect(talk.transcript == ["500", "closed"])
        }
    }

    @Test("hostile-input 4: plaintext behind STARTTLS is never run")
    func injectedBehindStartTLS() throws {
        var talk = try ServerConversation()
        talk.send("EHLO c.test\r\nSTARTTLS\r\nRSET\r\n")
        #expect(talk.transcript == ["250", "554", "closed"])
    }

    @Test("hostile-input 4: bytes during the handshake stay unread")
    func handshakeBytes() throws {
        var session = try ServerConversation().session
        var content: [UInt8] = []
        _ = session.receive(Array("EHLO c.test\r\n".utf8).span, content: &content)
        let step = session.receive(Array("STARTTLS\r\n".utf8).span, content: &content)
        #expect(step == SMTPServerStep(10, .startTLS(SMTPServerReplies.startTLS)))
        let next = session.receive(Array("RSET\r\n".utf8).span, content: &content)
        #expect(next == SMTPServerStep(0, .waitForOwner))
        #expect(session.waitingFor == .handshake)
    }

    @Test("hostile-input 4: STARTTLS with an argument is 501, twice is 503, and EHLO and MAIL are forgotten")
    func startTLSRules() throws {
        for feeding in Feeding.allCases {
            var talk = try ServerConversation()
            talk.send("EHLO c.test\r\nSTARTTLS now\r\nMAIL FROM:<a@c.test>\r\n", feeding)
            talk.send("STARTTLS\r\n", feeding)
            talk.send("RCPT TO:<b@relay.test>\r\nMAIL FROM:<a@c.test>\r\nSTARTTLS\r\n", feeding)
            #expect(talk.transcript == ["250", "501", "250", "220", "TLS", "503", "503", "503"])
        }
    }

    @Test(
        "hostile-input 5: what is not SMTP is answered 500 and closed",
        arguments: ["\u{16}\u{3}\u{1}\0\u{1}", "GET / HTTP/1.1\r\nHost: x\r\n", "\u{3}\0\0\u{13}", "Cookie: a\r\n"])
    func notSMTP(_ bytes: String) throws {
        for feeding in Feeding.allCases {
            var talk = try ServerConversation()
            talk.send(bytes, feeding)
            #expect(talk.transcript == ["500", "closed"])
        }
    }

    @Test("hostile-input 5: talking before the banner, or past DATA, is refused")
    func outOfTurn() throws {
        var early = try ServerConversation(greets: false)
        early.send("EHLO c.test\r\n")
        #expect(early.transcript == ["554", "closed"])
        var eager = try ServerConversation()
        eager.send("EHLO c.test\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<b@relay.test>\r\nDATA\r\nSubject: x\r\n")
        #expect(eager.transcript == ["250", "250", "250", "554", "closed"])
    }

    @Test("hostile-input 6: a long command line is 500 and the session lives; one without end is closed")
    func longLine() throws {
        for feeding in Feeding.allCases {
            var talk = try ServerConversation()
            talk.send("NOOP " + String(repeating: "x", count: 2041) + "\r\n", feeding)
            talk.send("NOOP " + String(repeating: "x", count: 2042) + "\r\nNOOP\r\n", feeding)
            #expect(talk.transcript == ["250", "500", "250"])
        }
        var flood = try ServerConversation()
        flood.send([UInt8](repeating: 0x78, count: 10_000_000))
        #expect(flood.transcript == ["500", "closed"])
    }

    @Test(
        "hostile-input 6: a text line is accepted up to the limit, which may be RFC 5321's 998, and refused beyond it (field C13)",
        arguments: [998, 1200])
    func longTextLine(_ limit: Int) throws {
        var limits = SMTPServerLimits()
        limits.textLineBytes = limit
        for (length, reply) in [(998, "250"), (limit, "250"), (limit + 1, "554")] {
            for feeding in Feeding.allCases {
                var talk = try ServerConversation(limits: limits)
                talk.openMessage(feeding)
                talk.send(String(repeating: "x", count: length) + "\r\n.\r\n", feeding)
                #expect(talk.transcript == [reply])
            }
        }
    }

    @Test("hostile-input 8: after a refusal at the end of data, RCPT without MAIL is 503")
    func resetAfterRefusal() throws {
        for feeding in Feeding.allCases {
            var talk = try ServerConversation()
            talk.openMessage(feeding)
            talk.send("a\nb\r\n.\r\nRCPT TO:<c@relay.test>\r\nDATA\r\n", feeding)
            #expect(talk.transcript == ["554", "503", "503"])
        }
    }

    @Test(
        "hostile-input 9, 13: bad, duplicate and unknown parameters and UTF-8 addresses are refused each with its code")
    func parameters() throws {
        var talk = try ServerConversation()
        talk.send("EHLO c.test\r\n")
        let cases = [
            ("SIZE=-1", "501"), ("SIZE", "501"), ("SIZE=99999999999999999999", "552"), ("SIZE=52428801", "552"),
            ("SIZE=1 SIZE=2", "501"), ("BODY=9BIT", "501"), ("XYZ=1", "555"), ("BODY=8BITMIME SIZE=52428800", "250"),
        ]
        for (parameter, code) in cases {
            talk.send("MAIL FROM:<a@c.test> \(parameter)\r\n")
            #expect(talk.transcript.last == code, "\(parameter)")
        }
        talk.send("RSET\r\nMAIL FROM:<ä@c.test>\r\n")
        #expect(talk.transcript.last == "553")
        talk.send(Array("MAIL FROM:<".utf8) + [0xff] + Array("@c.test>\r\n".utf8))
        #expect(talk.transcript.last == "501")
    }

    @Test("hostile-input 11: recipients beyond the limit are 452, the 20th error and the 100th NOOP are 421")
    func counts() throws {
        var limits = SMTPServerLimits()
        limits.recipients = 2
        var talk = try ServerConversation(limits: limits)
        talk.send("EHLO c.test\r\nMAIL FROM:<>\r\n")
        talk.send(String(repeating: "RCPT TO:<b@relay.test>\r\n", count: 3))
        #expect(talk.transcript == ["250", "250", "250", "250", "452"])
        var errors = try ServerConversation()
        errors.send("NOOP\r\n" + String(repeating: "WHAT\r\n", count: 30))
        #expect(errors.transcript == ["250"] + Array(repeating: "500", count: 19) + ["421", "closed"])
        var idle = try ServerConversation()
        idle.send(String(repeating: "NOOP\r\n", count: 101))
        #expect(idle.transcript == Array(repeating: "250", count: 99) + ["421", "closed"])
    }

    @Test("A message over the limit is refused at its end, and its content is not kept")
    func tooLarge() throws {
        var limits = SMTPServerLimits()
        limits.messageBytes = 1000
        limits.discardedMessageBytes = 1000
        for feeding in Feeding.allCases {
            var talk = try ServerConversation(limits: limits)
            talk.openMessage(feeding)
            talk.send(String(repeating: "0123456\r\n", count: 150), feeding)
            talk.send(".\r\n", feeding)
            #expect(talk.transcript == ["552"])
            #expect(talk.largestContent <= 1000)
            var flood = try ServerConversation(limits: limits)
            flood.openMessage(feeding)
            flood.send(String(repeating: "0123456\r\n", count: 300), feeding)
            #expect(flood.transcript == ["552", "closed"])
        }
    }

    @Test(
        "The last byte that is read of refused content is the same one however the bytes are cut",
        arguments: Feeding.allCases)
    func patienceToTheByte(_ feeding: Feeding) throws {
        var limits = SMTPServerLimits()
        (limits.messageBytes, limits.discardedMessageBytes) = (100, 100)
        let content = "\0" + String(repeating: "x", count: 194)
        var within = try ServerConversation(limits: limits)
        within.openMessage(feeding)
        within.send("\(content)\r\n.\r\nNOOP\r\n", feeding)
        #expect(within.transcript == ["554", "250"])
        var beyond = try ServerConversation(limits: limits)
        beyond.openMessage(feeding)
        beyond.send("\(content)x\r\n.\r\nNOOP\r\n", feeding)
        #expect(beyond.transcript == ["552", "closed"])
    }

    @Test("Refused bytes count towards the end of patience too", arguments: ["\n", "\r", "\0", ".\r\n.x"])
    func floodOfFaults(_ piece: String) throws {
        var limits = SMTPServerLimits()
        limits.messageBytes = 1000
        limits.discardedMessageBytes = 1000
        var talk = try ServerConversation(limits: limits)
        talk.openMessage(.whole)
        for _ in 0..<30 { talk.send(String(repeating: piece, count: 100), .whole) }
        #expect(talk.transcript.last == "closed")
    }

    @Test("Without a valid recipient DATA is refused, and a decision is awaited before anything else runs")
    func noRecipient() throws {
        var talk = try ServerConversation()
        talk.recipientRefusal = SMTPReply(550, EnhancedStatusCode(.permanentFailure, 1, 1), "No such user")
        talk.send("EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<x@relay.test>\r\nDATA\r\n")
        #expect(talk.transcript == ["250", "250", "550", "554"])
        var content: [UInt8] = []
        let rcpt = Array("RCPT TO:<x@relay.test>\r\nQUIT\r\n".utf8)
        let step = talk.session.receive(rcpt.span, content: &content)
        #expect(step.consumed == 24)
        let next = talk.session.receive(Array(rcpt[24...]).span, content: &content)
        #expect(next == SMTPServerStep(0, .waitForOwner))
    }
}
