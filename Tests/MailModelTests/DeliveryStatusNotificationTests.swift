import MailModel
import Testing

@Suite struct DeliveryStatusNotificationTests {
    private func report(
        to path: ReversePath, diagnostic: String = "550 5.7.323 no match", header: String = "Subject: x\r\n"
    ) throws -> DeliveryStatusNotification? {
        DeliveryStatusNotification(
            to: path, reportingMTA: try #require(DomainName("relay.test")), arrival: Timestamp(seconds: 0),
            date: Timestamp(seconds: 86_400), id: MessageID(high: 0, low: 1),
            recipients: [
                .init(
                    finalRecipient: try #require(ForwardPath("<b@dest.test>")),
                    status: EnhancedStatusCode(.permanentFailure, 7, 323), reason: "tlsa-invalid",
                    remoteMTA: DomainName("mx.dest.test"), diagnostic: diagnostic)
            ], originalHeader: Array(header.utf8))
    }

    private func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false).map(
            String.init)
    }

    @Test("hostile-input 14: a null reverse path never gets a report (RFC 5321 §4.5.5)")
    func nullReversePath() throws {
        #expect(try self.report(to: .null) == nil)
    }

    @Test("A report names host, code and reason, for people and for programs (RFC 3464 §2)")
    func failure() throws {
        let sender = try #require(ReversePath("<a@sender.test>"))
        let bytes = try #require(try self.report(to: sender)).bytes(boundary: "b0")
        let lines = self.lines(bytes)
        for line in [
            "To: <a@sender.test>", "Content-Type: multipart/report; report-type=delivery-status;", " boundary=\"b0\"",
            "    Code 5.7.323 (tlsa-invalid) at host mx.dest.test:", "Reporting-MTA: dns; relay.test",
            "Arrival-Date: Thu, 1 Jan 1970 00:00:00 +0000", "Final-Recipient: rfc822; b@dest.test", "Action: failed",
            "Status: 5.7.323", "Remote-MTA: dns; mx.dest.test",
            "Diagnostic-Code: smtp; tlsa-invalid: 550 5.7.323 no match", "Subject: x",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(lines.filter { $0 == "--b0" }.count == 3 && lines.suffix(2) == ["--b0--", ""])
    }

    @Test("hostile-input 24: a hostile reply and header are made safe")
    func hostile() throws {
        let sender = try #require(ReversePath("<a@sender.test>"))
        let reply = "550 \u{1b}]0;x\u{7}\0é\r\n\r\n--b0\r\n" + String(repeating: "x", count: 5000)
        let header = "Subject: é\0\r\nX: " + String(repeating: "y", count: 3000) + "\r\n\r\nBody: secret\r\n"
        let bytes = try #require(try self.report(to: sender, diagnostic: reply, header: header)).bytes(boundary: "b0")
        let lines = self.lines(bytes)
        #expect(
            lines.allSatisfy { $0.utf8.count <= 998 && $0.utf8.allSatisfy { $0 == 9 || (0x20...0x7e).contains($0) } })
        #expect(lines.filter { $0 == "--b0" }.count == 3)
        #expect(lines.contains("Subject: \\xC3\\xA9\\x00"))
        #expect(!lines.contains { $0.contains("secret") })
    }
}
