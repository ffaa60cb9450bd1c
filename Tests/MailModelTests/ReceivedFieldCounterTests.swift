import MailModel
import Testing

@Suite("Received fields")
struct ReceivedFieldCounterTests {
    @Test("hostile-input 14: the 51st Received field makes a loop, in any case and at any split")
    func loop() {
        let field = "rEcEiVeD: from a\r\n\tby b; Mon\r\n"
        let others = "X-Received: no\r\nReceived-SPF: no\r\nSubject: Received: no\r\n"
        let content = Array((others + String(repeating: field, count: 51) + "\r\nReceived: body\r\n").utf8)
        var whole = ReceivedFieldCounter(limit: 50)
        whole.consume(content)
        #expect(whole.count == 51 && whole.isLoop)
        var bytewise = ReceivedFieldCounter(limit: 50)
        for byte in content { bytewise.consume(CollectionOfOne(byte)) }
        #expect(bytewise == whole)
    }

    @Test("Fifty are a long way and no loop, and a body may hold any number")
    func noLoop() {
        let fields = String(repeating: "Received: x\r\n", count: 50)
        var counter = ReceivedFieldCounter(limit: 50)
        counter.consume(Array((fields + "\r\n" + fields).utf8))
        #expect(counter.count == 50 && !counter.isLoop)
    }

    @Test(
        "hostile-input 14: blanks before the colon are obsolete and count all the same",
        arguments: [" ", "\t", "  \t "])
    func obsoleteSyntax(_ blanks: String) {
        var counter = ReceivedFieldCounter(limit: 1)
        counter.consume(Array("Received\(blanks): a\r\nReceived\(blanks): b\r\nReceived \(blanks)x: c\r\n".utf8))
        #expect(counter.count == 2 && counter.isLoop)
    }

    @Test("hostile-input 14: a header section of 1 MB, in one line without a colon or in many, is bounded")
    func largeHeader() {
        for content in [String(repeating: "x", count: 1 << 20), String(repeating: "Received\r\n", count: 1 << 17)] {
            var counter = ReceivedFieldCounter(limit: 50)
            #expect(counter.consume(Array(content.utf8)) == content.utf8.count)
            #expect(counter.count == 0)
        }
        #expect(MemoryLayout<ReceivedFieldCounter>.size <= 64)
    }
}

@Suite("Content survey")
struct ContentSurveyTests {
    @Test(
        "Bytes beyond ASCII are seen wherever they stand, those of the header apart from those of the body",
        arguments: [
            ("Subject: x\r\n\r\nplain text, long enough for a word or two\r\n", false, false),
            ("Subject: ä\r\n\r\nplain\r\n", true, true), ("Subject: x\r\n\r\nbody: ä\r\n", true, false),
            ("Subject: long enough for words, then ü\r\n\r\nö\r\n", true, true), ("\r\nä\r\n", true, false),
        ])
    func eightBit(_ content: String, isEightBit: Bool, hasInternationalHeader: Bool) {
        let bytes = Array(content.utf8)
        for size in [1, 2, 3, 7, 8, 9, bytes.count] {
            var survey = ContentSurvey(receivedFieldLimit: 50)
            for start in stride(from: 0, to: bytes.count, by: size) {
                survey.consume(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(survey.isEightBit == isEightBit)
            #expect(survey.hasInternationalHeader == hasInternationalHeader)
        }
    }
}

@Suite("Transmission protocols")
struct TransmissionProtocolTests {
    @Test("The with clause names the protocol as RFC 3848 and RFC 6531 §4.3 register it")
    func keywords() {
        func keyword(_ flags: Bool...) -> String {
            TransmissionProtocol(
                isExtended: flags[0], isInternational: flags[1], isSecured: flags[2], isAuthenticated: flags[3]
            ).description
        }
        #expect(keyword(false, false, false, false) == "SMTP" && keyword(true, false, false, false) == "ESMTP")
        #expect(keyword(true, false, true, false) == "ESMTPS" && keyword(true, false, true, true) == "ESMTPSA")
        #expect(keyword(true, true, false, false) == "UTF8SMTP" && keyword(true, true, true, false) == "UTF8SMTPS")
        #expect(keyword(true, true, true, true) == "UTF8SMTPSA")
    }
}
