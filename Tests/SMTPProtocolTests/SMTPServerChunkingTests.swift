import MailModel
import Testing

@testable import SMTPProtocol

/// CHUNKING (RFC 3030).
@Suite("SMTP server: BDAT")
struct SMTPServerChunkingTests {
    /// The command and its chunk.
    private func chunk(_ text: String, last: Bool = false) -> String {
        "BDAT \(text.utf8.count)\(last ? " LAST" : "")\r\n\(text)"
    }

    private func open(_ limits: SMTPServerLimits = SMTPServerLimits()) throws -> ServerConversation {
        var talk = try ServerConversation(limits: limits)
        talk.openTransaction()
        return talk
    }

    @Test("A message passes in pipelined chunks, cut anywhere, dots untouched", arguments: Feeding.allCases)
    func message(_ feeding: Feeding) throws {
        let content = "Subject: x\r\n\r\n..two\r\n.\r\nQUIT\r\n.\r\n"
        for cut in 1..<content.utf8.count {
            var talk = try self.open()
            let head = String(decoding: content.utf8.prefix(cut), as: UTF8.self)
            let tail = String(decoding: content.utf8.dropFirst(cut), as: UTF8.self)
            talk.send(self.chunk(head) + self.chunk(tail, last: true) + "NOOP\r\n", feeding)
            #expect(talk.transcript == ["250", "250", "250"])
            #expect(talk.messages == [content])
            #expect(talk.envelopes.first?.recipients.count == 1)
        }
    }

    @Test("BDAT 0 LAST ends a message; content without a last CRLF gets one, and no other content changes")
    func lastLine() throws {
        var talk = try self.open()
        talk.send(self.chunk("Subject: x\r\n\r\nend") + "BDAT 0 LAST\r\n")
        #expect(talk.transcript == ["250", "250"])
        #expect(talk.messages == ["Subject: x\r\n\r\nend\r\n"])
        var empty = try self.open()
        empty.send("bdat 0 last\r\n")
        #expect(empty.messages == [""])
    }

    @Test(
        "hostile-input 7: a size that cannot be known is 501, and nothing behind it is run (field C13)",
        arguments: [
            "BDAT", "BDAT ", "BDAT  5", "BDAT -1", "BDAT +5", "BDAT 18446744073709551616", "BDAT 0x10", "BDAT 5 ",
            "BDAT 5 FIRST", "BDAT 5 LAST x", "BDAT LAST", "BDAT 1.0", "BDAT 000000000000000000005", "BDAT 5\tLAST",
            "BDAT\t5", "bdat\t5 LAST", "BDAT5", "BDAT:5", " BDAT 5", "\tBDAT 5", "BDAT\u{b}5",
        ])
    func badSize(_ line: String) throws {
        for feeding in Feeding.allCases {
            var talk = try self.open()
            talk.send("\(line)\r\nNOOP\r\n", feeding)
            #expect(talk.transcript == ["501", "closed"], "\(line)")
        }
    }

    @Test("hostile-input 7: BDAT before MAIL or RCPT is consumed, and 503", arguments: Feeding.allCases)
    func outOfSequence(_ feeding: Feeding) throws {
        var talk = try ServerConversation()
        talk.send(self.chunk("QUIT\r\n") + "EHLO c.test\r\n" + self.chunk("QUIT\r\n", last: true), feeding)
        talk.send("MAIL FROM:<a@c.test>\r\n" + self.chunk("QUIT\r\n", last: true) + "NOOP\r\n", feeding)
        #expect(talk.transcript == ["503", "250", "503", "250", "503", "250"])
        #expect(talk.messages.isEmpty)
    }

    @Test("hostile-input 7: a chunk beyond all bounds is not even read", arguments: ["", "EHLO c.test\r\n"])
    func hugeChunk(_ start: String) throws {
        for size in ["18446744073709551615", "9223372036854775807", "16777217"] {
            var talk = try ServerConversation()
            talk.send(start + "BDAT \(size)\r\nNOOP\r\n")
            #expect(talk.transcript.suffix(2) == ["503", "closed"])
        }
        var inside = try self.open()
        inside.send(self.chunk("x\r\n") + "BDAT 69206014\r\nNOOP\r\n")
        #expect(inside.transcript == ["250", "552", "closed"])
    }

    @Test(
        "hostile-input 7: after a chunk that failed all is 503 until MAIL, and nothing is queued",
        arguments: [true, false])
    func failedChunk(isLast: Bool) throws {
        for feeding in Feeding.allCases {
            var talk = try self.open()
            talk.send(self.chunk("a\nb\r\n", last: isLast) + self.chunk("c\r\n", last: true), feeding)
            talk.send("RCPT TO:<c@relay.test>\r\nDATA\r\n", feeding)
            #expect(talk.transcript == ["554", "503", "503", "503"])
            talk.send("MAIL FROM:<a@c.test>\r\nRCPT TO:<c@relay.test>\r\n" + self.chunk("d\r\n", last: true), feeding)
            #expect(talk.transcript.suffix(3) == ["250", "250", "250"])
            #expect(talk.messages == ["d\r\n"])
        }
    }

    @Test("hostile-input 7: DATA between chunks is 503, and ends the transaction")
    func dataBetweenChunks() throws {
        for feeding in Feeding.allCases {
            var talk = try self.open()
            talk.send(self.chunk("a\r\n") + "DATA\r\n", feeding)
            talk.send(self.chunk("b\r\n", last: true), feeding)
            #expect(talk.transcript == ["250", "503", "503"])
            #expect(talk.messages.isEmpty)
        }
    }

    @Test("Between chunks RCPT, MAIL, STARTTLS are 503; NOOP changes nothing")
    func commandsBetweenChunks() throws {
        var talk = try self.open()
        talk.send(self.chunk("a\r\n") + "RCPT TO:<c@relay.test>\r\nMAIL FROM:<>\r\n")
        talk.send("STARTTLS\r\n")
        talk.send("NOOP\r\n" + self.chunk("b\r\n", last: true))
        #expect(talk.transcript == ["250", "503", "503", "503", "250", "250"])
        #expect(talk.messages == ["a\r\nb\r\n"])
    }

    @Test(
        "hostile-input 8: RSET and EHLO between chunks forget all of the message",
        arguments: ["RSET\r\n", "EHLO c.test\r\n", "HELO c.test\r\n"])
    func reset(_ command: String) throws {
        for feeding in Feeding.allCases {
            var talk = try self.open()
            talk.send(self.chunk("a\r\n") + command + self.chunk("b\r\n", last: true), feeding)
            #expect(talk.transcript == ["250", "250", "503"])
            talk.send("MAIL FROM:<a@c.test>\r\nRCPT TO:<c@relay.test>\r\n" + self.chunk("d\r\n", last: true), feeding)
            #expect(talk.messages == ["d\r\n"])
        }
    }

    @Test("QUIT or a shutdown between chunks, or in the middle of one, leaves nothing")
    func endInTheMiddle() throws {
        var talk = try self.open()
        talk.send(self.chunk("a\r\n") + "QUIT\r\n")
        #expect(talk.transcript == ["250", "221", "closed"] && talk.messages.isEmpty)
        var cut = try self.open()
        cut.send("BDAT 100\r\nabc")
        #expect(cut.session.waitingFor == .data)
        guard case .discardMessageAndClose(let reply) = cut.session.shutDown("Bye") else {
            Issue.record("the message is kept")
            return
        }
        #expect(reply.code == 421)
    }

    @Test(
        "hostile-input 3: a bare CR, bare LF or NUL is refused as in DATA, also where chunks meet",
        arguments: ["a\rb\r\n", "a\nb\r\n", "a\0b\r\n", "a\r\r\n", "a\r\n\nb\r\n", "\r", "a\r"])
    func bareBytes(_ content: String) throws {
        let bytes = Array(content.utf8)
        for cut in 0...bytes.count {
            var talk = try self.open()
            talk.send(Array("BDAT \(cut)\r\n".utf8) + bytes[..<cut])
            talk.send(Array("BDAT \(bytes.count - cut) LAST\r\n".utf8) + bytes[cut...])
            #expect(talk.transcript.contains("554") && talk.messages.isEmpty, "\(content.debugDescription) at \(cut)")
        }
    }

    @Test("A CRLF that two chunks share is a CRLF")
    func sharedLineEnd() throws {
        var talk = try self.open()
        talk.send(self.chunk("a\r") + self.chunk("\nb\r") + self.chunk("\n", last: true))
        #expect(talk.transcript == ["250", "250", "250"] && talk.messages == ["a\r\nb\r\n"])
    }

    @Test("Size and line limits hold over all chunks: 552 and 554")
    func limits() throws {
        var limits = SMTPServerLimits()
        (limits.messageBytes, limits.discardedMessageBytes, limits.textLineBytes) = (100, 100, 30)
        for feeding in Feeding.allCases {
            var large = try self.open(limits)
            large.send(String(repeating: self.chunk("0123456\r\n"), count: 11), feeding)
            #expect(large.transcript.allSatisfy { $0 == "250" })
            large.send(self.chunk("0123456\r\n") + self.chunk("x", last: true), feeding)
            #expect(large.transcript.suffix(2) == ["552", "503"])
            #expect(large.largestContent <= 100)
            var long = try self.open(limits)
            long.send(String(repeating: self.chunk("0123456789"), count: 3), feeding)
            long.send(self.chunk("0", last: true), feeding)
            #expect(long.transcript == ["250", "250", "250", "554"])
        }
    }

    @Test("hostile-input 7: 100,000 chunks of one byte make one message, and empty chunks are idle commands")
    func tinyChunks() throws {
        var talk = try self.open()
        let line = String(repeating: self.chunk("x"), count: 98) + self.chunk("\r") + self.chunk("\n")
        for _ in 0..<1000 { talk.send(line) }
        talk.send("BDAT 0 LAST\r\n")
        #expect(talk.transcript.count == 100_001 && talk.transcript.allSatisfy { $0 == "250" })
        #expect(talk.messages.first?.utf8.count == 100_000)
        var empty = try self.open()
        empty.send(String(repeating: "BDAT 0\r\n", count: 200))
        #expect(empty.transcript.suffix(2) == ["421", "closed"] && empty.transcript.count == 100)
    }

    @Test("What the owner refuses in the middle is answered at the end of the chunk, or of the next")
    func refusedByOwner() throws {
        let refusal = SMTPReply(452, nil, "Full")
        var between = try self.open()
        between.send(self.chunk("a\r\n"))
        between.session.refuseRestOfMessage(refusal)
        between.send(self.chunk("b\r\n") + self.chunk("c\r\n", last: true))
        #expect(between.transcript == ["250", "452", "503"])
        var within = try self.open()
        within.send("BDAT 6\r\na\r\n")
        within.session.refuseRestOfMessage(refusal)
        within.send("b\r\n" + self.chunk("c\r\n", last: true))
        #expect(within.transcript == ["452", "503"] && within.messages.isEmpty)
    }

    @Test("BODY=BINARYMIME is not offered, and refused")
    func binary() throws {
        var talk = try ServerConversation()
        talk.send("EHLO c.test\r\nMAIL FROM:<a@c.test> BODY=BINARYMIME\r\n")
        #expect(talk.transcript == ["250", "501"])
    }
}
