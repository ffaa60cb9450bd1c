import MailModel
import Testing

@testable import SMTPProtocol

/// Asking a server whether it takes a recipient, which sends it nothing.
@Suite struct SMTPClientVerificationTests {
    private func asked(_ feeding: Feeding = .whole) throws -> ClientConversation {
        var talk = try ClientConversation(.none, feeding)
        talk.getReady("PIPELINING")
        let path = try #require(ForwardPath("<bob@mx.test>"))
        talk.act(talk.session.verify(path))
        return talk
    }

    @Test("MAIL from the null path, RCPT, and no DATA: the reply to RCPT is the answer", arguments: Feeding.allCases)
    func answered(_ feeding: Feeding) throws {
        for (reply, isAccepted) in [("250 ok", true), ("252 perhaps", true), ("550 5.1.1 no such user", false)] {
            var talk = try self.asked(feeding)
            talk.server("250 ok\r\n")
            talk.server("\(reply)\r\n")
            #expect(talk.written == ["MAIL FROM:<>", "RCPT TO:<bob@mx.test>"])
            guard let outcome = talk.outcomes?.first else {
                Issue.record("no outcome of \(reply)")
                continue
            }
            if case .delivered = outcome { #expect(isAccepted) } else { #expect(!isAccepted) }
        }
    }

    @Test("A refused null sender says nothing about the recipient, whatever its code")
    func senderRefused() throws {
        var talk = try self.asked()
        talk.server("550 5.7.1 no bounces here\r\n")
        #expect(
            talk.outcomes == [
                .deferred(RemoteReply(550, EnhancedStatusCode(.permanentFailure, 7, 1), "no bounces here"))
            ])
        #expect(talk.session.stage == .ready)
    }

    @Test("What the question leaves behind is cleared before the next one")
    func clearedAfterwards() throws {
        var talk = try self.asked()
        talk.server("250 ok\r\n")
        talk.server("450 4.2.0 later\r\n")
        let path = try #require(ForwardPath("<eve@mx.test>"))
        talk.act(talk.session.verify(path))
        talk.server("250 reset\r\n")
        talk.server("250 ok\r\n")
        talk.server("250 ok\r\n")
        #expect(
            talk.written == [
                "MAIL FROM:<>", "RCPT TO:<bob@mx.test>", "RSET", "MAIL FROM:<>", "RCPT TO:<eve@mx.test>",
            ])
    }

    @Test("hostile-input 23: an international address is said to a host with SMTPUTF8 only", arguments: [true, false])
    func international(offersSMTPUTF8: Bool) throws {
        var talk = try ClientConversation()
        if offersSMTPUTF8 { talk.getReady("SMTPUTF8") } else { talk.getReady("PIPELINING") }
        let path = try #require(ForwardPath("<jürgen@mx.test>"))
        talk.act(talk.session.verify(path))
        #expect(talk.written == (offersSMTPUTF8 ? ["MAIL FROM:<> SMTPUTF8"] : []))
        #expect((talk.outcomes != nil) == !offersSMTPUTF8)
    }

    @Test("421 and a reply that is none end the connection", arguments: ["421 4.3.2 closing", "354 go on"])
    func ended(_ reply: String) throws {
        var talk = try self.asked()
        talk.server("\(reply)\r\n")
        #expect(talk.failure != nil)
        #expect(talk.outcomes == nil)
    }

    @Test(
        "An international recipient is asked for only where the server takes it (RFC 6531 §3.5)",
        arguments: [true, false])
    func international(_ isOffered: Bool) throws {
        var talk = try ClientConversation()
        talk.getReady(isOffered ? "SMTPUTF8" : "PIPELINING")
        let path = try #require(ForwardPath("<bøb@mx.test>"))
        talk.act(talk.session.verify(path))
        talk.server(isOffered ? "250 ok\r\n" : "")
        #expect(talk.written == (isOffered ? ["MAIL FROM:<> SMTPUTF8", "RCPT TO:<bøb@mx.test>"] : []))
        #expect((talk.outcomes == nil) == isOffered)
    }
}
