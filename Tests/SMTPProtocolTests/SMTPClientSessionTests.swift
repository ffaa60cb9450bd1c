import MailModel
import Testing

@testable import SMTPProtocol

@Suite struct SMTPClientSessionTests {
    private let later = RemoteReply(450, EnhancedStatusCode(.persistentTransientFailure, 2, 1), "later")
    private let never = RemoteReply(550, EnhancedStatusCode(.permanentFailure, 1, 1), "never")
    private let stored = RemoteReply(250, EnhancedStatusCode(.success, 0, 0), "stored")

    @Test("hostile-input 20: RCPT answered 250, 450, 550 gives three outcomes", arguments: Feeding.allCases)
    func threeOutcomes(_ feeding: Feeding) throws {
        for pipelining in [true, false] {
            var talk = try ClientConversation(.none, feeding)
            if pipelining { talk.getReady("PIPELINING", "SIZE 1000") } else { talk.getReady("SIZE 1000") }
            try talk.begin(to: "a", "b", "c")
            #expect(talk.written.count == (pipelining ? 5 : 1))
            talk.server("250 ok\r\n")
            talk.server("250 ok\r\n")
            talk.server("450 4.2.1 later\r\n")
            talk.server("550 5.1.1 never\r\n")
            talk.server("354 go\r\n")
            #expect(
                talk.written == [
                    "MAIL FROM:<s@relay.test> SIZE=10", "RCPT TO:<a@mx.test>", "RCPT TO:<b@mx.test>",
                    "RCPT TO:<c@mx.test>", "DATA", "content",
                ])
            var output: [UInt8] = []
            talk.session.encode(Array("x\r\n.y".utf8).span, into: &output)
            let end = talk.session.finishData()
            output += try #require(end)
            #expect(String(decoding: output, as: UTF8.self) == "x\r\n..y\r\n.\r\n")
            #expect(talk.session.waitingFor == .dataTermination)
            talk.server("250 2.0.0 stored\r\n")
            #expect(talk.outcomes == [.accepted(self.stored), .deferred(self.later), .refused(self.never)])
        }
    }

    @Test("hostile-input 20: 250 before the final dot is a protocol error")
    func earlyAcceptance() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.getReady("PIPELINING")
            try talk.begin(to: "a")
            talk.server("250 ok\r\n250 ok\r\n354 go\r\n250 stored\r\n")
            #expect(talk.failure == .protocolError(.content))
            #expect(talk.session.finishData() == nil)
        }
    }

    @Test("421 to the final dot is one answer, and ends the connection (field C13)")
    func closingAtTheDot() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.getReady("PIPELINING")
            try talk.begin(to: "a")
            talk.server("250 ok\r\n250 ok\r\n354 go\r\n")
            _ = talk.session.finishData()
            talk.server("421 4.3.2 going down\r\n")
            let status = EnhancedStatusCode(.persistentTransientFailure, 3, 2)
            #expect(talk.outcomes == [.deferred(RemoteReply(421, status, "going down"))])
            #expect(talk.failure == nil && talk.session.stage == .finished)
        }
    }

    @Test("hostile-input 20: 421 after the 250 leaves the message delivered and the next unharmed")
    func closingAfterAcceptance() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.getReady("PIPELINING")
            try talk.begin(to: "a")
            talk.server("250 ok\r\n250 ok\r\n354 go\r\n")
            _ = talk.session.finishData()
            talk.server("250 2.0.0 stored\r\n421 bye\r\n")
            #expect(talk.outcomes == [.accepted(self.stored)])
            #expect(talk.failure == .serviceClosing(RemoteReply(421, nil, "bye"), at: .ready))
        }
    }

    @Test("hostile-input 21: EOF before the dot is a plain loss, after it an ambiguous one")
    func connectionLost() throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING")
        try talk.begin(to: "a")
        talk.server("250 ok\r\n250 ok\r\n354 go\r\n")
        var other = talk
        #expect(talk.session.connectionClosed() == .failed(.connectionLost(.content, afterFinalDot: false)))
        _ = other.session.finishData()
        #expect(other.session.connectionClosed() == .failed(.connectionLost(.finalDot, afterFinalDot: true)))
    }

    @Test("hostile-input 21: a reply to the final dot that cannot be understood is ambiguous too")
    func unintelligibleAcceptance() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.getReady("PIPELINING")
            try talk.begin(to: "a")
            talk.server("250 ok\r\n250 ok\r\n354 go\r\n")
            _ = talk.session.finishData()
            talk.server("gibberish\r\n")
            #expect(talk.failure == .protocolError(.finalDot))
            #expect(talk.failure?.isAmbiguous == true)
        }
        #expect(!SMTPClientFailure.connectionLost(.content, afterFinalDot: false).isAmbiguous)
    }

    @Test("hostile-input 21: the dot of a message that nobody is to get leaves nothing in doubt")
    func emptyDotIsNotAmbiguous() throws {
        for reply in ["gibberish\r\n", "354 go\r\n"] {
            var talk = try ClientConversation()
            talk.getReady("PIPELINING")
            try talk.begin(to: "a")
            talk.server("250 ok\r\n")
            talk.server("550 never\r\n")
            talk.server("354 go\r\n")
            #expect(talk.written.last == ".")
            var lost = talk
            lost.act(lost.session.connectionClosed())
            #expect(lost.failure?.isAmbiguous == false)
            talk.server(reply)
            #expect(talk.failure?.isAmbiguous == false)
        }
    }

    @Test("hostile-input 22: bytes that complete nothing do not change what is waited for, nor its limit (§4.5.3.2)")
    func waits() throws {
        let timeouts = SMTPTimeouts()
        var talk = try ClientConversation(.none, .byteByByte)
        #expect(timeouts.duration(of: talk.session.waitingFor) == .seconds(300))
        talk.server("220-slow\r\n220 ")
        #expect(talk.session.waitingFor == .greeting)
        talk.server("mx.test\r\n250 PIPELINING\r\n")
        #expect(talk.session.waitingFor == .nothing)
        try talk.begin(to: "a")
        #expect(talk.session.waitingFor == .envelope)
        talk.server("250 ok\r\n250 ok\r\n")
        #expect(timeouts.duration(of: talk.session.waitingFor) == .seconds(120))
        talk.server("354 go\r\n")
        #expect(timeouts.duration(of: talk.session.waitingFor) == .seconds(180))
        _ = talk.session.finishData()
        #expect(timeouts.duration(of: talk.session.waitingFor) == .seconds(600))
    }

    @Test(
        "hostile-input 18: a greeting that is none is a protocol error",
        arguments: ["bogus\r\n", "2200 x\r\n", "250 x\r\n"])
    func badGreeting(_ greeting: String) throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.server(greeting)
            #expect(talk.failure == .protocolError(.greeting))
        }
    }

    @Test("hostile-input 18: 521 is a refusal of the host, EOF a loss")
    func refusedGreeting() throws {
        var talk = try ClientConversation()
        talk.server("521 no mail here\r\n")
        #expect(talk.failure == .greetingRefused(RemoteReply(521, nil, "no mail here")))
        var lost = try ClientConversation()
        lost.act(lost.session.connectionClosed())
        #expect(lost.failure == .connectionLost(.greeting, afterFinalDot: false))
    }

    @Test("hostile-input 18: mixed codes and an endless reply end the connection; `5.7.2` without text is parsed")
    func replies() throws {
        for feeding in Feeding.allCases {
            var mixed = try ClientConversation(.none, feeding)
            mixed.server("220-a\r\n250 b\r\n")
            #expect(mixed.failure == .protocolError(.greeting))
            var endless = try ClientConversation(.none, feeding)
            endless.server(String(repeating: "220-a\r\n", count: 200))
            #expect(endless.failure == .protocolError(.greeting))
            var wide = try ClientConversation(.none, feeding)
            wide.server("220 " + String(repeating: "a", count: 3000))
            #expect(wide.failure == .protocolError(.greeting))
            var bare = try ClientConversation(.none, feeding)
            bare.server("550 5.7.2\r\n")
            let status = EnhancedStatusCode(.permanentFailure, 7, 2)
            #expect(bare.failure == .greetingRefused(RemoteReply(550, status, "")))
        }
    }

    @Test("hostile-input 19: bytes behind the 220 of STARTTLS end the connection")
    func injectedBehindStartTLS() throws {
        var talk = try ClientConversation(.opportunistic)
        talk.getReady("STARTTLS")
        talk.server("220 go\r\n250 injected\r\n")
        #expect(talk.failure == .bytesBehindSTARTTLS)
    }

    @Test("hostile-input 19: the EHLO list from before TLS is forgotten", arguments: Feeding.allCases)
    func listForgotten(_ feeding: Feeding) throws {
        var talk = try ClientConversation(.required, feeding)
        talk.getReady("PIPELINING", "8BITMIME", "STARTTLS")
        talk.server("220 go\r\n")
        #expect(talk.session.capabilities == SMTPServerCapabilities())
        talk.server("250 mx.test\r\n")
        #expect(talk.written == ["TLS", "EHLO relay.test", "ready"])
        #expect(talk.session.capabilities == SMTPServerCapabilities())
    }

    @Test(
        "hostile-input 19: STARTTLS missing or refused stops the session until its owner lets it go on in clear",
        arguments: [454, 502])
    func startTLSOwed(_ code: UInt16) throws {
        for feeding in Feeding.allCases {
            var missing = try ClientConversation(.required, feeding)
            missing.getReady("PIPELINING")
            #expect(missing.withoutTLS == .some(nil) && missing.written.isEmpty)
            var refused = try ClientConversation(.required, feeding)
            refused.getReady("STARTTLS")
            refused.server("\(code) no\r\n")
            #expect(refused.withoutTLS == RemoteReply(code, nil, "no") && refused.written.isEmpty)
            var opportunistic = try ClientConversation(.opportunistic, feeding)
            opportunistic.getReady("STARTTLS")
            opportunistic.server("\(code) no\r\n")
            #expect(opportunistic.written == ["ready"])
        }
    }

    @Test("HELO is tried after a refused EHLO, but not where TLS is owed (RFC 5321 §3.2)")
    func heloFallback() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.opportunistic, feeding)
            talk.server("220 old\r\n")
            talk.server("502 what?\r\n")
            talk.server("250 old\r\n")
            #expect(talk.written == ["EHLO relay.test", "HELO relay.test", "ready"])
        }
        var owed = try ClientConversation(.required, .byteByByte)
        owed.server("220 old\r\n502 what?\r\n")
        // Said in clear, where anybody may say it: the same as a host without STARTTLS (rule 25).
        #expect(owed.withoutTLS == RemoteReply(502, nil, "what?") && owed.written == ["EHLO relay.test"])
    }

    @Test(
        "hostile-input 23: 8-bit text without 8BITMIME, or too large a message, is our own finding and no reply (field C3)"
    )
    func limitations() throws {
        var talk = try ClientConversation()
        talk.getReady("SIZE 1000")
        try talk.begin(to: "a", body: .eightBitMIME)
        #expect(talk.outcomes == [.unsuitable(.noEightBitMIME)])
        try talk.begin(to: "a", size: 1001)
        #expect(talk.outcomes == [.unsuitable(.maximumSize(1000))])
        #expect(
            ["\(HostLimitation.noEightBitMIME.status)", "\(HostLimitation.maximumSize(1).status)"] == [
                "5.6.3", "5.3.4",
            ])
        #expect(talk.written.isEmpty && talk.session.stage == .ready)
    }

    @Test("For a host without 8BITMIME a message goes out 7-bit, or for a reason not at all (field C2)")
    func conversion() throws {
        let content = Array("From: <s@relay.test>\r\n\r\n\u{e4}\r\n".utf8)
        func message(_ content: [UInt8]) throws -> SMTPClientMessage {
            var survey = SevenBitSurvey(size: content.count)
            survey.consume(content)
            let recipient = EnvelopeRecipient(try #require(ForwardPath("<a@mx.test>")))
            var message = SMTPClientMessage(
                reversePath: .null, recipients: [recipient], body: .eightBitMIME, size: content.count)
            #expect(message.needsConversion(for: SMTPServerCapabilities()))
            message.convert(by: survey.finish())
            return message
        }
        var talk = try ClientConversation()
        talk.getReady("SIZE 1000")
        let converted = try message(content)
        talk.begin(converted)
        #expect(talk.written.last == "MAIL FROM:<> SIZE=\(converted.size)")
        #expect(converted.body == .sevenBit && converted.size > content.count)

        var refusing = try ClientConversation()
        refusing.getReady("SIZE 1000")
        refusing.begin(try message(Array("DKIM-Signature: v=1\r\n".utf8) + content))
        #expect(refusing.outcomes == [.unsuitable(.unconvertible(.signed))] && refusing.written.isEmpty)
        let limitation = HostLimitation.unconvertible(.signed)
        #expect("\(limitation.status)" == "5.6.3")
        #expect(
            "\(limitation)" == "the host does not take 8-bit text, and the message is not converted: it is signed")
    }

    @Test("All recipients refused, DATA let through: the content ends empty (RFC 2920 §3.1)")
    func nobody() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.getReady("PIPELINING")
            try talk.begin(to: "a")
            talk.server("250 ok\r\n550 5.1.1 never\r\n354 go\r\n")
            #expect(talk.written.last == ".")
            talk.server("250 whatever\r\n")
            #expect(talk.outcomes == [.refused(self.never)])
            talk.act(talk.session.quit())
            talk.server("221 bye\r\n")
            #expect(talk.isClosed)
        }
    }

    @Test("A transaction that came to nothing is cleared with RSET before the next message")
    func resetBetween() throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING")
        try talk.begin(to: "a")
        talk.server("250 ok\r\n550 5.1.1 never\r\n554 nobody\r\n")
        #expect(talk.outcomes == [.refused(self.never)])
        talk.written = []
        try talk.begin(to: "b")
        #expect(talk.written.first == "RSET" && talk.written.count == 4)
        talk.server("250 reset\r\n451 4.3.0 no\r\n503 x\r\n503 x\r\n")
        let no = RemoteReply(451, EnhancedStatusCode(.persistentTransientFailure, 3, 0), "no")
        #expect(talk.outcomes == [.deferred(no)])
    }

    @Test("hostile-input 23: dots are stuffed and stray line ends never written, at every split")
    func encoder() {
        let content = Array(".a\r\n..\r\n.\r\nb\rc\nd\r".utf8)
        for cut in content.indices {
            var encoder = SMTPDataEncoder()
            var output: [UInt8] = []
            encoder.encode(Array(content[..<cut]).span, into: &output)
            encoder.encode(Array(content[cut...]).span, into: &output)
            encoder.finish(into: &output)
            #expect(String(decoding: output, as: UTF8.self) == "..a\r\n...\r\n..\r\nb\r\nc\r\nd\r\n.\r\n")
        }
    }

    @Test("Content decodes to what was encoded, in pieces of every size")
    func roundTrip() {
        let lines = (0..<60).map { String(repeating: $0 % 7 == 0 ? "." : "a\tb", count: $0) + "\r\n" }
        let content = Array(lines.joined().utf8)
        for size in [1, 2, 3, 15, 16, 17, 1000, content.count] {
            var encoder = SMTPDataEncoder()
            var wire: [UInt8] = []
            for start in stride(from: 0, to: content.count, by: size) {
                encoder.encode(Array(content[start..<min(start + size, content.count)]).span, into: &wire)
            }
            encoder.finish(into: &wire)
            var decoder = SMTPContentDecoder(.data, lineLimit: 998, sizeLimit: 1_000_000)
            var decoded: [UInt8] = []
            var hasEnded = false
            for start in stride(from: 0, to: wire.count, by: size) {
                let piece = Array(wire[start..<min(start + size, wire.count)])
                let (consumed, isEnd) = decoder.decode(piece.span, into: &decoded)
                #expect(consumed == piece.count && !hasEnded)
                hasEnded = isEnd
            }
            #expect(hasEnded && decoded == content && decoder.fault == nil && decoder.size == content.count)
        }
    }
}
