import LabPeers
import SMTPProtocol
import Testing

@Suite("A scripted peer with the newer extensions", .timeLimit(.minutes(3)))
struct ScriptedExtensionsTests {
    /// The codes of the replies to these lines, said one after the other to a peer with these rules.
    private func codes(_ rules: [ScriptedRule], _ lines: String...) async throws -> ([Int], ScriptedPeer) {
        let peer = try await ScriptedPeer.start(rules)
        let codes = try await SMTPDialog.with(port: peer.port) { smtp in
            try await smtp.hello()
            var codes: [Int] = []
            for line in lines { codes.append(try await smtp.say(line).code) }
            return codes
        }
        await peer.stop()
        return (codes, peer)
    }

    @Test("A message in chunks is kept as it came, dots and all, with the sizes of the chunks (RFC 3030 §2)")
    func chunks() async throws {
        let (codes, peer) = try await self.codes(
            [.modern], "MAIL FROM:<a@alpha.test> RET=HDRS ENVID=one BODY=8BITMIME",
            "RCPT TO:<b@bravo.test> NOTIFY=SUCCESS,FAILURE", "RCPT TO:<c@bravo.test>",
            "BDAT 17\r\nSubject: x\r\n\r\n.", "BDAT 0 LAST", "NOOP")
        #expect(codes == [250, 250, 250, 250, 250, 250])
        let mail = try #require(peer.received.first)
        // The dialogue puts CR LF behind what it says: the last two bytes of the chunk.
        #expect(mail.text == "Subject: x\r\n\r\n.\r\n")
        #expect(mail.chunks == [17, 0])
        #expect(mail.mailParameters == ["RET=HDRS", "ENVID=one", "BODY=8BITMIME"])
        #expect(mail.recipientParameters == [["NOTIFY=SUCCESS,FAILURE"], []])
    }

    @Test("A chunk without a transaction, or behind a refused one, is read and answered 503")
    func refusedChunks() async throws {
        let (before, _) = try await self.codes([.modern], "BDAT 6 LAST\r\nabcd", "NOOP")
        #expect(before == [503, 250])
        let (after, peer) = try await self.codes(
            [.modern, .on(.chunk(1), .reply("452 4.3.1 full"))], "MAIL FROM:<>", "RCPT TO:<b@bravo.test>",
            "BDAT 6\r\nabcd", "BDAT 6 LAST\r\nabcd", "RSET")
        #expect(after == [250, 250, 452, 503, 250])
        #expect(peer.received.isEmpty)
    }

    @Test("What was not offered may not be used (RFC 5321 §4.1.1.11)")
    func notOffered() async throws {
        let (codes, _) = try await self.codes(
            [], "MAIL FROM:<a@alpha.test> RET=HDRS", "MAIL FROM:<ä@alpha.test>", "MAIL FROM:<a@alpha.test> SMTPUTF8",
            "MAIL FROM:<a@alpha.test> SIZE=10", "RCPT TO:<b@bravo.test> NOTIFY=NEVER", "BDAT 0 LAST")
        #expect(codes == [555, 553, 555, 250, 555, 500])
    }

    @Test("It keeps to its LIMITS (RFC 9422 §4)")
    func limits() async throws {
        let (codes, _) = try await self.codes(
            [.alsoOffer("LIMITS RCPTMAX=2 MAILMAX=2 RCPTDOMAINMAX=1")], "MAIL FROM:<>", "RCPT TO:<a@bravo.test>",
            "RCPT TO:<a@other.test>", "RCPT TO:<b@bravo.test>", "RCPT TO:<c@bravo.test>", "MAIL FROM:<>",
            "MAIL FROM:<>")
        #expect(codes == [250, 250, 452, 250, 452, 250, 452])
    }

    @Test(
        "Content ends at CRLF dot CRLF only, and a bare line end in it is refused", arguments: ["\n.\r\n", "\r.\r\n"])
    func strictContent(_ falseEnd: String) async throws {
        let peer = try await ScriptedPeer.start()
        try await SMTPDialog.with(port: peer.port) { smtp in
            try await smtp.hello()
            for line in ["MAIL FROM:<>", "RCPT TO:<b@bravo.test>", "DATA"] { try await smtp.say(line) }
            try await smtp.send("Subject: x\r\n\r\none\(falseEnd)two\r\n.\r\n")
            #expect(try await smtp.readReply().code == 550)
        }
        #expect(peer.received.map(\.fault) == [.bareLineEnd])
        await peer.stop()
    }
}
