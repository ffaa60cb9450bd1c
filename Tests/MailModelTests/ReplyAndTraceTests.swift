import MailModel
import Testing

@Suite struct ReplyAndTraceTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("A reply repeats its codes on each line (RFC 2034 §4)")
    func reply() {
        let status = EnhancedStatusCode(.permanentFailure, 1, 1)
        #expect(text(SMTPReply(550, status, "one", "two").serialised) == "550-5.1.1 one\r\n550 5.1.1 two\r\n")
        #expect(text(SMTPReply(354, nil, "go").serialised) == "354 go\r\n")
        #expect(SMTPReply(550, status, "one", "two").description == "550 5.1.1 one two")
    }

    @Test("No reply line is over 512 bytes, and none holds a control byte (RFC 5321 §4.5.3.1.5)")
    func longReply() {
        let word = String(repeating: "x", count: 700) + " \u{1b}[2J\0é\r\n221 bye"
        let serialised = SMTPReply(250, EnhancedStatusCode(.success, 0, 0), word).serialised
        for line in serialised.split(separator: 10) {
            #expect(line.count + 1 <= 512 && line.starts(with: Array("250".utf8)))
            #expect(line.dropLast().allSatisfy { (0x20...0x7e).contains($0) })
        }
        #expect(text(serialised).contains("\\x1B[2J\\x00\\xC3\\xA9\\x0D\\x0A221 bye"))
    }

    @Test("The trace field names client, host, protocol, TLS, id and date, folded (RFC 5321 §4.4)")
    func received() throws {
        let host = try #require(DomainName("mx.relay.test"))
        func field(_ hello: String, _ tls: TLSInfo?) -> String {
            text(
                ReceivedField(
                    hello: .init(name: hello, isExtended: true),
                    transmission: TransmissionProtocol(isExtended: true, isSecured: tls != nil),
                    clientAddress: .v4(0xc000_0201), by: host, tls: tls, id: MessageID(high: 0, low: 1),
                    at: Timestamp(seconds: 0)
                ).bytes)
        }
        #expect(
            field("client.test", TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_128(x)\r\n")) == """
                Received: from client.test ([192.0.2.1])\r
                \t(using TLSv1.3 with cipher TLS_AES_128x)\r
                \tby mx.relay.test with ESMTPS id 00000000000000000000000001;\r
                \tThu, 1 Jan 1970 00:00:00 +0000\r\n
                """)
        #expect(
            field("(evil;", nil).hasPrefix(
                "Received: from [192.0.2.1] ([192.0.2.1])\r\n\tby mx.relay.test with ESMTP id"))
    }
}
