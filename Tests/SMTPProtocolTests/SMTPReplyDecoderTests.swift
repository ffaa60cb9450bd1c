import MailModel
import Testing

@testable import SMTPProtocol

/// What a server may make the client keep.
@Suite("Replies of a server, and what is kept of them")
struct SMTPReplyDecoderTests {
    /// A reply of so many lines, each of 2,000 bytes and unlike any other.
    private func reply(_ code: Int, lines: Int = 126, number: Int = 0) -> String {
        (1...lines).map { line in
            let text = "\(number)-\(line) " + String(repeating: "x", count: 1980)
            return "\(code)\(line == lines ? " " : "-")\(text)\r\n"
        }.joined()
    }

    private func decode(_ text: String, _ feeding: Feeding) -> SMTPReplyDecoder.Result {
        var decoder = SMTPReplyDecoder()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(feeding.pieceSize))
            let (consumed, result) = decoder.decode(piece.span)
            if result != .needInput { return result }
            rest = rest.dropFirst(consumed)
        }
        return .needInput
    }

    @Test("Of a long reply code, status and the first 2 KiB of text are kept (field A2)", arguments: Feeding.allCases)
    func longReply(_ feeding: Feeding) throws {
        guard case .reply(let reply) = self.decode("250-2.1.5 first\r\n" + self.reply(250), feeding) else {
            return #expect(Bool(false))
        }
        #expect(reply.code == 250 && reply.enhancedStatus == EnhancedStatusCode(.success, 1, 5))
        #expect(reply.lines.first == "first")
        #expect(reply.textLength <= 2049 && reply.textLength > 2000)
    }

    @Test("Bytes that are no UTF-8, or empty lines, are kept no longer than others (field A2)")
    func expandingText() {
        var decoder = SMTPReplyDecoder()
        let bytes = Array("250-".utf8) + Array(repeating: 0xff, count: 2000) + Array("\r\n250 end\r\n".utf8)
        guard case (_, .reply(let reply)) = decoder.decode(bytes.span) else { return #expect(Bool(false)) }
        #expect(reply.textLength <= 2050)
        let empty = String(repeating: "250-\r\n", count: 127) + "250 \r\n"
        guard case .reply(let lines) = self.decode(empty, .whole) else { return #expect(Bool(false)) }
        #expect(lines.lines.count == 128)
    }

    @Test("A byte that is no UTF-8 is told as that byte, and text beside it as it is")
    func otherText() {
        let line = Array("550 5.1.1 Stra".utf8) + [0xdf] + Array("e \u{e4} \u{EF80}".utf8) + [0xe4, 0x0d, 0x0a]
        var decoder = SMTPReplyDecoder()
        guard case (_, .reply(let reply)) = decoder.decode(line.span) else { return #expect(Bool(false)) }
        #expect(reply.description == #"550 5.1.1 Stra\xDFe \xC3\xA4 \xEE\xBE\x80\xE4"#)
        #expect(String(decoding: reply.asReply.serialised, as: UTF8.self) == reply.description + "\r\n")
    }

    @Test("Lines that are not kept are checked all the same (field A2)", arguments: Feeding.allCases)
    func droppedLinesAreChecked(_ feeding: Feeding) {
        let long = self.reply(250, lines: 20).replacing("250 ", with: "250-")
        #expect(self.decode(long + "251 other code\r\n", feeding) == .malformed)
        #expect(self.decode(long + "no code\r\n", feeding) == .malformed)
        #expect(self.decode(long + "250-\(String(repeating: "y", count: 2046))\r\n", feeding) == .malformed)
        #expect(self.decode(self.reply(250, lines: 129), feeding) == .malformed)
        #expect(self.decode(self.reply(250, lines: 128), feeding) != .malformed)
    }

    @Test("Of EHLO's reply more is kept, so that what a host offers last counts too")
    func longHello() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            let lines = (0..<100).map { "X-LONG-\($0) " + String(repeating: "x", count: 100) }
            talk.getReady(lines + ["PIPELINING"])
            #expect(talk.session.capabilities.pipelining)
        }
    }

    @Test("A thousand recipients with 250 KB of reply each keep less than 512 KiB (field A2)")
    func manyLongReplies() throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING")
        let path = try #require(ReversePath("<s@relay.test>"))
        let recipients = try (0..<1000).map { number in
            EnvelopeRecipient(try #require(ForwardPath("<r\(number)@mx.test>")))
        }
        talk.begin(SMTPClientMessage(reversePath: path, recipients: recipients, body: .sevenBit, size: 10))
        talk.server("250 ok\r\n")
        let tail = self.reply(450, lines: 125)
        for number in 0..<1000 {
            talk.server("450-4.2.1 reply \(number) " + String(repeating: "z", count: 1970) + "\r\n" + tail)
        }
        talk.server("554 no valid recipients\r\n")
        let outcomes = try #require(talk.outcomes)
        let kept = outcomes.reduce(0) { sum, outcome in
            guard case .failed(let failure)? = outcome else { return sum }
            return sum + (failure.reply?.utf8.count ?? 0)
        }
        #expect(outcomes.count == 1000 && kept < 512 * 1024, "\(kept)")
        // Each is still told by its first words, and its code.
        guard case .failed(let last)?? = outcomes.last else { return #expect(Bool(false)) }
        #expect(last.reply?.hasPrefix("450 4.2.1 reply 999 ") == true && (last.reply?.utf8.count ?? 0) <= 140)
        #expect(last.status == EnhancedStatusCode(.persistentTransientFailure, 2, 1))
    }
}
