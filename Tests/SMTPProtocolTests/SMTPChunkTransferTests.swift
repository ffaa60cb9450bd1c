import MailModel
import Testing

@testable import SMTPProtocol

/// Content by BDAT (RFC 3030): what is written when, and what a server can say in between.
@Suite("Client chunks") struct SMTPChunkTransferTests {
    private let stored = RemoteReply(250, nil, "stored")
    private let full = RemoteReply(452, EnhancedStatusCode(.persistentTransientFailure, 3, 1), "full")

    /// A conversation whose content, of so many bytes, may be written now.
    private func transferring(
        _ size: Int, to names: String..., feeding: Feeding = .whole
    ) throws -> ClientConversation {
        var talk = try ClientConversation(.none, feeding)
        talk.getReady("PIPELINING", "CHUNKING")
        let recipients = try (["a"] + names).map { EnvelopeRecipient(try #require(ForwardPath("<\($0)@mx.test>"))) }
        talk.begin(SMTPClientMessage(reversePath: .null, recipients: recipients, body: .sevenBit, size: size))
        #expect(talk.written == ["MAIL FROM:<>"] + (["a"] + names).map { "RCPT TO:<\($0)@mx.test>" })
        talk.server("250 ok\r\n250 ok\r\n")
        for _ in names { talk.server("550 5.1.1 never\r\n") }
        #expect(talk.written.last == "content" && talk.session.takesContent)
        return talk
    }

    @Test("A message of one piece is one chunk, whose last CRLF waits for permission")
    func onePiece() throws {
        for feeding in Feeding.allCases {
            var talk = try self.transferring(10, to: "b", feeding: feeding)
            #expect(talk.encode("12345678\r\n") == "BDAT 10 LAST\r\n12345678")
            #expect(talk.session.stage == .content)
            #expect(talk.finish() == "\r\n")
            #expect(talk.session.stage == .finalDot && talk.session.waitingFor == .dataTermination)
            talk.server("250 stored\r\n")
            let never = RemoteReply(550, EnhancedStatusCode(.permanentFailure, 1, 1), "never")
            #expect(talk.outcomes == [.accepted(self.stored), .refused(never)])
            #expect(talk.session.stage == .ready)
        }
    }

    @Test("A larger message is a chunk for each piece, and no reply is waited for in between")
    func pieces() throws {
        var talk = try self.transferring(13)
        #expect(talk.encode(".a\r\n") == "BDAT 4\r\n.a\r\n")
        #expect(talk.encode("..\r\nb") == "BDAT 5\r\n..\r\nb")
        talk.server("250 4 bytes\r\n")
        #expect(talk.encode("c\r\n") == "BDAT 3\r\nc\r\n")
        #expect(talk.encode("d") == "BDAT 3 LAST\r\nd")
        #expect(talk.finish() == "\r\n")
        talk.server("250 5 bytes\r\n250 3 bytes\r\n")
        #expect(talk.outcomes == nil)
        talk.server("250 stored\r\n")
        #expect(talk.outcomes == [.accepted(self.stored)])
    }

    @Test(
        "hostile-input 23: a stray CR or LF is never emitted, no dot is stuffed, and each size is true, at every split")
    func lineEnds() throws {
        let content = Array(".a\r\n..\r\nb\rc\nd\r".utf8)
        for cut in 1..<content.count {
            var transfer = SMTPChunkTransfer(size: content.count)
            var output: [UInt8] = []
            transfer.encode(Array(content[..<cut]).span, into: &output)
            transfer.encode(Array(content[cut...]).span, into: &output)
            let end = transfer.finish()
            output += try #require(end)
            #expect(try Self.dechunked(output) == ".a\r\n..\r\nb\r\nc\r\nd\r\n")
        }
    }

    /// The content of chunks, the last of them LAST.
    private static func dechunked(_ wire: [UInt8]) throws -> String {
        var rest = wire[...]
        var content: [UInt8] = []
        var isLast = false
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            try #require(!isLast)
            let words = String(decoding: rest[..<end], as: UTF8.self).split(whereSeparator: \.isWhitespace)
            let size = try #require(Int(words[1]))
            isLast = words.last == "LAST"
            content += rest[(end + 1)...].prefix(size)
            rest = rest[(end + 1)...].dropFirst(size)
        }
        #expect(isLast && rest.isEmpty)
        return String(decoding: content, as: UTF8.self)
    }

    @Test("Content that is not as long as was said is never ended", arguments: ["short\r\n", "much too long\r\n"])
    func misfit(_ content: String) throws {
        var talk = try self.transferring(10)
        _ = talk.encode(content)
        #expect(talk.finish() == nil)
        #expect(talk.session.abandon() == .failed(.abandoned))
    }

    // MARK: Refusals

    @Test("A refused chunk ends the transaction: nothing more is written, its replies are read, and RSET comes first")
    func refusedChunk() throws {
        for feeding in Feeding.allCases {
            var talk = try self.transferring(30, feeding: feeding)
            for piece in ["12345678\r\n", "abcdefgh\r\n"] { _ = talk.encode(piece) }
            talk.server("452 4.3.1 full\r\n")
            #expect(!talk.session.takesContent && talk.outcomes == nil)
            #expect(talk.encode("ABCDEFGH\r\n").isEmpty && talk.finish() == nil)
            talk.server("503 nothing to add to\r\n")
            #expect(talk.outcomes == [.deferred(self.full)])
            talk.written = []
            try talk.begin(to: "b")
            #expect(talk.written.first == "RSET")
        }
    }

    @Test("Refused while the last chunk is half written: the connection is of no more use, the answer stands")
    func refusedMidChunk() throws {
        var talk = try self.transferring(20)
        for piece in ["12345678\r\n", "abcdefgh\r\n"] { _ = talk.encode(piece) }
        talk.server("452 4.3.1 full\r\n")
        #expect(talk.outcomes == [.deferred(self.full)])
        #expect(talk.session.stage == .finished && talk.finish() == nil)
    }

    @Test("Refused as soon as its size was said: the answer stands, though the only chunk is not whole")
    func refusedBySize() throws {
        for feeding in Feeding.allCases {
            var talk = try self.transferring(10, feeding: feeding)
            _ = talk.encode("12345678\r\n")
            talk.server("552 5.3.4 too large\r\n")
            let tooLarge = RemoteReply(552, EnhancedStatusCode(.permanentFailure, 3, 4), "too large")
            #expect(talk.outcomes == [.refused(tooLarge)])
            #expect(talk.session.stage == .finished && talk.finish() == nil)
        }
    }

    @Test("A refusal of an earlier chunk is not undone by what is said of the last")
    func refusedThenAccepted() throws {
        var talk = try self.transferring(20)
        for piece in ["12345678\r\n", "abcdefgh\r\n"] { _ = talk.encode(piece) }
        #expect(talk.finish() == "\r\n")
        talk.server("452 4.3.1 full\r\n")
        var lost = talk
        talk.server("250 stored\r\n")
        #expect(talk.outcomes == [.deferred(self.full)])
        // It is refused already, so its loss leaves no doubt.
        lost.act(lost.session.connectionClosed())
        #expect(lost.failure?.isAmbiguous == false && lost.session.recipientOutcomes == [.deferred(self.full)])
    }

    @Test("The last chunk refused is the message refused")
    func refusedLast() throws {
        var talk = try self.transferring(10)
        _ = talk.encode("12345678\r\n")
        _ = talk.finish()
        talk.server("452 4.3.1 full\r\n")
        #expect(talk.outcomes == [.deferred(self.full)] && talk.session.stage == .ready)
    }

    // MARK: Faults

    @Test("hostile-input 20: 250 for a chunk that is not whole is a protocol error, and delivers nothing")
    func earlyAcceptance() throws {
        for feeding in Feeding.allCases {
            for pieces in [[], ["12345678\r\n", "abcdefgh\r\n"]] {
                var talk = try self.transferring(20, feeding: feeding)
                for piece in pieces { _ = talk.encode(piece) }
                talk.server("250 ok\r\n250 stored\r\n")
                #expect(talk.failure == .protocolError(.content) && talk.failure?.isAmbiguous == false)
            }
        }
    }

    @Test("hostile-input 21: EOF before the end of the last chunk is a plain loss, after it an ambiguous one")
    func connectionLost() throws {
        var before = try self.transferring(10)
        _ = before.encode("12345678\r\n")
        var after = before
        before.act(before.session.connectionClosed())
        #expect(before.failure == .connectionLost(.content, afterFinalDot: false))
        _ = after.finish()
        after.act(after.session.connectionClosed())
        #expect(after.failure == .connectionLost(.finalDot, afterFinalDot: true))
    }

    @Test(
        "BDAT refused as such by a host that offers it ends the connection, and decides nothing (field C4)",
        arguments: [500, 502, 503])
    func commandRefused(_ code: UInt16) throws {
        for size in [10, 20] {
            var talk = try self.transferring(size)
            _ = talk.encode("12345678\r\n")
            if size == 10 { _ = talk.finish() }
            talk.server("\(code) 5.5.1 what?\r\n")
            let reply = RemoteReply(code, EnhancedStatusCode(.permanentFailure, 5, 1), "what?")
            #expect(talk.failure == .chunkingRefused(reply))
            #expect(talk.failure?.isAmbiguous == false && talk.session.recipientOutcomes == [nil])
        }
    }

    @Test("A host that has taken a chunk knows BDAT: what it says of the next one is about the message (field C4)")
    func laterRefusal() throws {
        var talk = try self.transferring(20)
        _ = talk.encode("12345678\r\n")
        talk.server("250 ok\r\n")
        _ = talk.encode("12345678\r\n")
        _ = talk.finish()
        talk.server("503 no\r\n")
        #expect(talk.outcomes == [.refused(RemoteReply(503, nil, "no"))])
    }

    @Test(
        "421 to a chunk decides nothing, 421 to the last is an answer: not now (field C13)", arguments: [false, true])
    func closing(_ isLast: Bool) throws {
        var talk = try self.transferring(isLast ? 10 : 20)
        _ = talk.encode("12345678\r\n")
        if isLast { _ = talk.finish() }
        talk.server("421 bye\r\n")
        let bye = RemoteReply(421, nil, "bye")
        #expect(talk.failure == (isLast ? nil : .serviceClosing(bye, at: .content)))
        #expect(talk.outcomes == (isLast ? [.deferred(bye)] : nil))
        #expect(talk.session.stage == .finished)
    }

    // MARK: When

    @Test(
        "DATA is used where CHUNKING would wait for each chunk, is not offered, or is not wanted",
        arguments: [(["CHUNKING"], true), (["PIPELINING"], true), (["PIPELINING", "CHUNKING"], false)]
            as [([String], Bool)])
    func dataInstead(_ extensions: [String], _ usesChunking: Bool) throws {
        var talk = try ClientConversation(.none, .whole, usesChunking: usesChunking)
        talk.getReady(extensions)
        try talk.begin(to: "a")
        for reply in ["250 ok", "250 ok"] { talk.server("\(reply)\r\n") }
        #expect(talk.written.last == "DATA")
    }

    @Test("Nobody is accepted: no content is ever sent, and RSET comes first the next time")
    func nobody() throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING", "CHUNKING")
        try talk.begin(to: "a")
        talk.server("250 ok\r\n550 5.1.1 never\r\n")
        #expect(talk.outcomes?.count == 1 && !talk.written.contains("content"))
        talk.written = []
        try talk.begin(to: "b")
        #expect(talk.written.first == "RSET")
    }
}

extension ClientConversation {
    /// Writes a piece of content; what goes on the wire.
    fileprivate mutating func encode(_ content: String) -> String {
        var output: [UInt8] = []
        self.session.encode(Array(content.utf8).span, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Ends the content; what goes on the wire.
    fileprivate mutating func finish() -> String? {
        self.session.finishData().map { String(decoding: $0, as: UTF8.self) }
    }
}
