import MailModel
import Testing

@Suite("International delivery status notifications (RFC 6533)")
struct InternationalNotificationTests {
    private func read(
        from sender: String, to recipient: String, original: String = "utf-8;\\x{E9}lan@dest.test",
        content: ReturnedContent = .header(Array("Subject: é\r\n\r\n".utf8))
    ) throws -> (report: DeliveryStatusNotification, mail: MIMEReader) {
        var told = DeliveryStatusNotification.Recipient(
            finalRecipient: try #require(Mailbox(recipient)), status: EnhancedStatusCode(.permanentFailure, 6, 7),
            diagnostic: .finding("no SMTPUTF8"))
        told.originalRecipient = OriginalRecipient(original)
        var about = DeliveryStatusNotification.Original(arrival: Timestamp(seconds: 0), content: content)
        about.isInternational = true
        let reversePath = ReversePath.mailbox(try #require(Mailbox(sender)))
        let relay = try #require(DomainName("relay.test"))
        let report = try #require(
            DeliveryStatusNotification(
                .failed, to: reversePath, from: Mailbox("póst@relay.test"), reportingMTA: relay,
                date: Timestamp(seconds: 0), id: MessageID(high: 0, low: 1), on: [told], of: about))
        return (report, try #require(MIMEReader(report.bytes(boundary: "b0"))))
    }

    @Test("An international sender reads UTF-8 throughout, and the report says that it is eight-bit (§4 to §6)")
    func unicode() throws {
        let (report, mail) = try self.read(from: "jörg@sender.test", to: "bücher@dest.test")
        #expect(report.isInternational)
        #expect(mail.whole["content-transfer-encoding"] == "8bit")
        #expect(mail.whole["to"] == "<jörg@sender.test>")
        #expect(mail.whole["from"] == "Mail Delivery System <póst@relay.test>")
        #expect(
            mail.parts.map { $0["content-type"] } == [
                "text/plain; charset=utf-8", "message/global-delivery-status", "message/global-headers",
            ])
        let fields = mail.groups(ofPart: 1)[1]
        #expect(fields["final-recipient"] == "utf-8; bücher@dest.test")
        #expect(fields["original-recipient"] == "utf-8; élan@dest.test")
        #expect(mail.parts[2].body == "Subject: é\r\n")
    }

    @Test("hostile-input 23: an ASCII sender gets an ASCII report of 5.6.7, addresses in the form of §3")
    func asciiFallback() throws {
        let whole = ReturnedContent.message(Array("Subject: é\r\n\r\nx\r\n".utf8))
        let (report, mail) = try self.read(from: "a@sender.test", to: "bü+ch=er@dest.test", content: whole)
        #expect(!report.isInternational)
        #expect(report.bytes(boundary: "b0").allSatisfy { $0 < 0x80 })
        let fields = mail.groups(ofPart: 1)[1]
        #expect(fields["final-recipient"] == "utf-8; b\\x{FC}\\x{2B}ch\\x{3D}er@dest.test")
        #expect(fields["original-recipient"] == "utf-8; \\x{E9}lan@dest.test")
        #expect(fields["status"] == "5.6.7")
        #expect(mail.whole["from"] == "Mail Delivery System <postmaster@relay.test>")
        #expect(mail.parts[0].body.contains("b\\x{FC}"))
        #expect(mail.parts[0].body.contains("international characters"))
        // message/rfc822 cannot hold a header in UTF-8.
        #expect(mail.parts[2]["content-type"] == "text/rfc822-headers; charset=us-ascii")
    }

    @Test("However an address grows in its ASCII form, no line is longer than a host must take (RFC 5322 §2.1.1)")
    func longAddress() throws {
        let recipient = "é\(String(repeating: "+", count: 250))@dest.test"
        let (report, _) = try self.read(from: "a@sender.test", to: recipient)
        let lines = report.bytes(boundary: "b0").split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.count <= 999 }, "\(lines.map(\.count).max() ?? 0)")
    }

    @Test("A whole international message goes back as message/global")
    func wholeMessage() throws {
        let text = "Subject: é\r\n\r\nGrüße\r\n"
        let (_, mail) = try self.read(
            from: "jörg@sender.test", to: "b@dest.test", content: .message(Array(text.utf8)))
        #expect(mail.parts[2]["content-type"] == "message/global" && mail.parts[2].body == text)
        // Declared in its part and around it (RFC 2045 §6.4).
        #expect(mail.parts[2]["content-transfer-encoding"] == "8bit")
        #expect(mail.whole["content-transfer-encoding"] == "8bit")
    }

    @Test("A header that is no UTF-8, or holds controls, is escaped in the UTF-8 form, too")
    func hostileHeader() throws {
        let header: [UInt8] = Array("A: ".utf8) + [0xff, 0x0d, 0x0a] + Array("B: é\u{1b}\u{85}\r\n".utf8)
        let (_, mail) = try self.read(from: "jörg@sender.test", to: "b@dest.test", content: .header(header))
        #expect(mail.parts[2].body == "A: \\xFF\r\nB: é\\x1B\\xC2\\x85\r\n")
    }

    @Test(
        "Embedded Unicode is read back, and what stands for a control or for nothing stays (field C15)",
        arguments: [
            ("\\x{E9}\\x{1F600}\\x{2B}", "é😀+"), ("a\\x{0D}\\x{0}b", "a\\x{0D}\\x{0}b"), ("\\x{110000}", "\\x{110000}"),
            ("\\x{D800}", "\\x{D800}"), ("\\x{", "\\x{"), ("\\x{}\\x{E9}", "\\x{}é"), ("\\x{+9}", "\\x{+9}"),
            ("\\x{5C}x{1B}", "\\x{5C}x{1B}"),
        ])
    func embedded(escaped: String, plain: String) {
        #expect(EmbeddedUnicode.unescape(escaped) == plain)
    }

    @Test("Long lines are cut between characters, never within one")
    func longLines() throws {
        let header = "Subject: " + String(repeating: "é", count: 1500) + "\r\n"
        let (_, mail) = try self.read(
            from: "jörg@sender.test", to: "b@dest.test", content: .header(Array(header.utf8)))
        #expect(mail.lines.allSatisfy { $0.utf8.count <= 998 && !$0.contains("\u{fffd}") })
        #expect(mail.parts[2].body.count { $0 == "é" } == 1500)
    }
}
