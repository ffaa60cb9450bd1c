import MailModel
import Testing

@Suite("Delivery status notifications (RFC 3464)")
struct DeliveryStatusNotificationTests {
    /// One report; what a test does not name is of no interest to it.
    private func report(
        _ action: DeliveryStatusNotification.Action = .failed, to path: String = "<a@sender.test>",
        on address: String = "b@dest.test", code: EnhancedStatusCode.Class = .permanentFailure,
        subject: UInt16 = 7, detail: UInt16 = 323,
        saying diagnostic: DeliveryStatusNotification.Diagnostic = .finding("tlsa-invalid: No match."),
        of content: ReturnedContent = .header(Array("Subject: x\r\n\r\n".utf8)),
        _ change: (inout DeliveryStatusNotification.Recipient, inout DeliveryStatusNotification.Original) -> Void = {
            _, _ in
        }
    ) throws -> DeliveryStatusNotification? {
        var original = DeliveryStatusNotification.Original(arrival: Timestamp(seconds: 0), content: content)
        var recipient = DeliveryStatusNotification.Recipient(
            finalRecipient: try #require(Mailbox(address)), status: EnhancedStatusCode(code, subject, detail),
            diagnostic: diagnostic)
        recipient.remoteMTA = Mailbox.Domain("mx.dest.test")
        change(&recipient, &original)
        return DeliveryStatusNotification(
            action, to: try #require(ReversePath(path)), reportingMTA: try #require(DomainName("relay.test")),
            date: Timestamp(seconds: 86_400), id: MessageID(high: 0, low: 1), on: [recipient], of: original)
    }

    private func read(_ report: DeliveryStatusNotification?) throws -> MIMEReader {
        let bytes = try #require(report).bytes(boundary: "b0")
        return try #require(MIMEReader(bytes))
    }

    @Test("hostile-input 14: a null reverse path never gets a report (RFC 5321 §4.5.5)")
    func nullReversePath() throws {
        for action in DeliveryStatusNotification.Action.allCases { #expect(try self.report(action, to: "<>") == nil) }
    }

    @Test("A report of failure is the one that is written out here")
    func golden() throws {
        let header = "Received: x\r\nMessage-ID:\r\n <1@sender.test>\r\nSubject: x\r\n\r\nBody\r\n"
        let report = try self.report(of: .header(Array(header.utf8))) { recipient, original in
            recipient.originalRecipient = OriginalRecipient("rfc822;B+2BC@dest.test")
            recipient.isExpired = true
            original.envelopeID = "id 1"
        }
        let bytes = try #require(report).bytes(boundary: "b0")
        #expect(String(decoding: bytes, as: UTF8.self) == Self.golden.replacing("\n", with: "\r\n"))
    }

    @Test("At most 4 KiB of a header come back: first the fields that tell which message it was (field A3)")
    func returnedHeader() throws {
        let long = (0..<40).map { "X-Long-\($0): \(String(repeating: "x", count: 300))\r\n more\r\n" }.joined()
        let huge = "To: \(String(repeating: "\r\n a@b.test,", count: 1000))\r\n"
        let telling = "SUBJECT: one\r\n two\r\nFrom: a@sender.test\r\nMessage-ID: <1@sender.test>\r\n"
        for content in [
            ReturnedContent.header(Array((long + huge + telling + "\r\n").utf8)),
            // An eight-bit message of which an ASCII report gives back the header only.
            .message(Array((long + huge + telling + "\r\nGrüße\r\n").utf8)),
        ] {
            let report = try #require(try self.report(of: content))
            let part = try #require(
                String(decoding: report.bytes(boundary: "b0"), as: UTF8.self).split(separator: "--b0").last(where: {
                    $0.contains("rfc822-headers")
                }))
            let fields = try #require(part.split(separator: "\r\n\r\n").dropFirst().first)
            #expect(fields.utf8.count <= 4096 && fields.utf8.count > 3500)
            #expect(fields.hasPrefix("X-Long-0: ") && fields.contains("\r\n more\r\n") && !fields.contains("To: "))
            #expect(fields.contains(telling.dropLast(2)))
        }
    }

    @Test("What nobody else said is not told as the other side's refusal")
    func ownVerdicts() throws {
        func prose(_ subject: UInt16, _ diagnostic: DeliveryStatusNotification.Diagnostic) throws -> String {
            let report = try #require(try self.report(subject: subject, detail: 0, saying: diagnostic))
            return String(decoding: report.bytes(boundary: "b0"), as: UTF8.self)
        }
        let refused = "The other side refused the message by its rules."
        let ours = "An operator of this mail system gave the message up."
        let found = try prose(7, .finding("failed-by-operator: account closed"))
        #expect(found.contains(ours) && !found.contains(refused))
        let said = try prose(7, .reply("550 5.7.0 no"))
        #expect(said.contains(refused) && !said.contains(ours))
        #expect(
            try prose(4, .finding("local-network: no route")).contains("This mail system could not open a connection"))
    }

    @Test("Recipients that are not listed are counted, for people and for programs (field A3)")
    func unlisted() throws {
        var report = try #require(try self.report())
        report.unlistedRecipients = 984
        let text = String(decoding: report.bytes(boundary: "b0"), as: UTF8.self)
        #expect(text.contains("\r\nThe same is true of 984 more recipients of the message.\r\n"))
        #expect(text.contains("\r\nX-Relay-Unlisted-Recipients: 984\r\n\r\nFinal-Recipient: "))
    }

    private static let golden = """
        Received: by relay.test id 00000000000000000000000001;
        \tFri, 2 Jan 1970 00:00:00 +0000
        Date: Fri, 2 Jan 1970 00:00:00 +0000
        From: Mail Delivery System <postmaster@relay.test>
        To: <a@sender.test>
        Message-ID: <00000000000000000000000001@relay.test>
        Subject: Undelivered: your message could not be delivered
        In-Reply-To: <1@sender.test>
        References: <1@sender.test>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
        \tboundary="b0"

        --b0
        Content-Type: text/plain; charset=us-ascii

        This is the mail system at relay.test.

        Your message could not be delivered to the recipients below, and is not tried
        again. The reason stands with each of them.

        The message came here on Thu, 1 Jan 1970 00:00:00 +0000.

        b@dest.test
            The mail server that answered could not prove that it is the right one.
            It was tried until it expired; this is why it failed last.
            Code 5.7.323, host mx.dest.test: tlsa-invalid: No match.
            If the address is right, please give this code to the administrators of
            dest.test.

        --b0
        Content-Type: message/delivery-status

        Original-Envelope-Id: id 1
        Reporting-MTA: dns; relay.test
        Arrival-Date: Thu, 1 Jan 1970 00:00:00 +0000

        Original-Recipient: rfc822; B+C@dest.test
        Final-Recipient: rfc822; b@dest.test
        Action: failed
        Status: 5.7.323
        Diagnostic-Code: x-relay; 5.7.323 tlsa-invalid: No match.
        Last-Attempt-Date: Fri, 2 Jan 1970 00:00:00 +0000

        --b0
        Content-Type: text/rfc822-headers; charset=us-ascii

        Received: x
        Message-ID:
         <1@sender.test>
        Subject: x

        --b0--

        """

    @Test("A notice of delay says until when it is tried; only what a host said is a diagnostic of SMTP (§2.3.6)")
    func delayed() throws {
        let reply = "450 4.2.0 Busy"
        let report = try self.report(.delayed, code: .persistentTransientFailure, saying: .reply(reply)) { told, _ in
            told.willRetryUntil = Timestamp(seconds: 5 * 86_400)
        }
        let mail = try self.read(report)
        #expect(mail.whole["subject"]?.hasPrefix("Delayed") == true)
        let fields = mail.groups(ofPart: 1)[1]
        #expect(fields["action"] == "delayed" && fields["status"] == "4.7.323")
        #expect(fields["will-retry-until"] == "Tue, 6 Jan 1970 00:00:00 +0000")
        #expect(fields["diagnostic-code"] == "smtp; 450 4.2.0 Busy")
        #expect(mail.parts[0].body.contains("no need to send it again"))
        #expect(mail.parts[0].body.contains("host mx.dest.test: 450 4.2.0 Busy"))
    }

    @Test("A host that makes no reports is named in one of ours (RFC 3461 §5.2.2)")
    func relayed() throws {
        let mail = try self.read(try self.report(.relayed, code: .success, saying: .reply("250 Taken")))
        let fields = mail.groups(ofPart: 1)[1]
        #expect(fields["action"] == "relayed" && fields["status"]?.hasPrefix("2.") == true)
        #expect(fields["remote-mta"] == "dns; mx.dest.test")
        #expect(!mail.parts[0].body.contains("prove"), "nothing went wrong")
    }

    // MARK: - What is given back

    private let small = "Subject: x\r\n\r\nBody\r\n--b1\r\n.\r\n"

    @Test("RET=FULL gives the whole message back, in a report of failure only (RFC 3461 §4.3)")
    func wholeMessage() throws {
        let content = ReturnedContent.message(Array(self.small.utf8))
        let failed = try self.read(try self.report(of: content))
        #expect(failed.parts[2]["content-type"] == "message/rfc822")
        #expect(failed.parts[2].body == self.small)
        for action in [DeliveryStatusNotification.Action.delayed, .relayed] {
            let other = try self.read(try self.report(action, of: content))
            #expect(other.parts[2]["content-type"] == "text/rfc822-headers; charset=us-ascii")
            #expect(other.parts[2].body == "Subject: x\r\n")
        }
    }

    @Test(
        "Of eight-bit text the header is given back, since message/rfc822 cannot be encoded (RFC 2046 §5.2.1)",
        arguments: ["Subject: x\r\n\r\nGrüße\r\n", "Subject: é\r\n\r\nBody\r\n"])
    func eightBit(message: String) throws {
        let report = try #require(try self.report(of: .message(Array(message.utf8))))
        #expect(report.bytes(boundary: "b0").allSatisfy { $0 < 0x80 })
        let mail = try self.read(report)
        #expect(mail.whole["content-transfer-encoding"] == nil)
        #expect(mail.parts[2]["content-type"] == "text/rfc822-headers; charset=us-ascii")
        #expect(mail.parts[2]["content-transfer-encoding"] == nil)
        #expect(["Subject: x\r\n", "Subject: \\xC3\\xA9\r\n"].contains(mail.parts[2].body))
    }

    @Test(
        "A message that cannot stand in another one is not given back whole",
        arguments: [
            "a\0\r\n", "a\rb\r\n", "a\nb\r\n", "\n", "\r\r\n", String(repeating: "x", count: 999) + "\r\n", "a\r",
        ])
    func unfit(body: String) throws {
        let mail = try self.read(try self.report(of: .message(Array("Subject: x\r\n\r\n\(body)".utf8))))
        #expect(mail.parts[2].body == "Subject: x\r\n")
    }

    // MARK: - Hostile text

    @Test("hostile-input 24: a hostile reply and header are made safe")
    func hostile() throws {
        let reply =
            "550 \u{1b}]0;x\u{7}\0é\r\n\r\n--b0\r\nAction: delivered\r\n" + String(repeating: "x", count: 100_000)
        let header = "Subject: é\0\r\nX: " + String(repeating: "y", count: 3000) + "\r\n\r\nBody: secret\r\n"
        let report = try self.report(saying: .reply(reply), of: .header(Array(header.utf8))) { told, original in
            original.envelopeID = "x\r\nAction: delivered"
        }
        let bytes = try #require(report).bytes(boundary: "b0")
        let mail = try #require(MIMEReader(bytes))
        #expect(bytes.count < 16_384)
        #expect(
            mail.lines.allSatisfy {
                $0.utf8.count <= 998 && $0.utf8.allSatisfy { $0 == 9 || (0x20...0x7e).contains($0) }
            })
        #expect(mail.parts.count == 3)
        #expect(mail.lines.count { $0.hasPrefix("Action:") } == 1)
        #expect(mail.parts[2].body.contains("Subject: \\xC3\\xA9\\x00\r\n"))
        #expect(!mail.lines.contains { $0.contains("secret") })
    }

    @Test(
        "Only an identifier that may stand in a field is referred to",
        arguments: [
            "Message-ID: <a b@c>", "Message-ID: none", "Message-ID: <\u{e9}@c>", "X-Message-ID: <a@c>",
            "Message-ID: <\(String(repeating: "x", count: 300))@c>", "Subject: x\r\n\r\nMessage-ID: <a@c>",
        ])
    func noReference(header: String) throws {
        let mail = try self.read(try self.report(of: .header(Array("\(header)\r\n\r\n".utf8))))
        #expect(mail.whole["references"] == nil && mail.whole["in-reply-to"] == nil)
    }
}
