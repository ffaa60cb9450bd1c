import MailModel
import Testing

@testable import SMTPProtocol

/// The parameters of MAIL and RCPT: DSN (RFC 3461), SMTPUTF8 (RFC 6531), AUTH= (RFC 4954 §5).
@Suite("SMTP server: parameters and addresses")
struct SMTPServerParameterTests {
    private func talk(_ text: String = "") throws -> ServerConversation {
        var talk = try ServerConversation(offersAuthentication: true)
        talk.send("EHLO c.test\r\n" + text)
        talk.transcript = []
        return talk
    }

    private func last(of talk: inout ServerConversation, _ line: String) -> String? {
        talk.send("\(line)\r\n")
        return talk.transcript.last
    }

    @Test("RET and ENVID, NOTIFY and ORCPT are read, decoded and kept")
    func notifications() throws {
        var talk = try self.talk()
        talk.send("MAIL FROM:<a@c.test> RET=hdrs ENVID=QQ+2B314+20x\r\n")
        talk.send("RCPT TO:<b@relay.test> NOTIFY=success,DELAY ORCPT=rfc822;Bob+40relay.test\r\n")
        talk.send("RCPT TO:<c@relay.test> NOTIFY=NEVER\r\nDATA\r\n")
        talk.send("x\r\n.\r\n")
        let envelope = try #require(talk.envelopes.first)
        #expect(envelope.returnContent == .headers && envelope.envelopeID == "QQ+314 x")
        let original = OriginalRecipient("rfc822;Bob@relay.test")
        #expect(envelope.recipients.map(\.notify) == [[.success, .delay], .never])
        #expect(envelope.recipients.map(\.originalRecipient) == [original, nil])
    }

    @Test(
        "hostile-input 9: parameters of MAIL that are malformed, duplicate or unknown are refused",
        arguments: [
            ("RET", "501"), ("RET=ALL", "501"), ("RET=FULL RET=FULL", "501"), ("RET=FULL ret=HDRS", "501"),
            ("ENVID", "501"), ("ENVID=", "501"), ("ENVID=a+00b", "501"), ("ENVID=a+0Db", "501"), ("ENVID=a+2", "501"),
            ("ENVID=a+2b", "501"), ("ENVID=a=b", "501"), ("ENVID=ä", "501"), ("AUTH", "501"), ("AUTH=", "501"),
            ("AUTH=a+00", "501"), ("AUTH=a+", "501"), ("AUTH=<>", "250"), ("AUTH=e+3Dmc2@c.test", "250"),
            ("SMTPUTF8=", "501"), ("SMTPUTF8=yes", "501"), ("SMTPUTF8 SMTPUTF8", "501"), ("SMTPUTF8", "250"),
            ("NOTIFY=NEVER", "555"), ("ORCPT=rfc822;a", "555"), ("REQUIRETLS", "555"), ("X=1", "555"), ("=1", "501"),
            ("BODY=BINARYMIME", "501"), ("BODY", "501"), ("RET=FULL\tENVID=a", "501"),
        ])
    func mailParameters(_ parameter: String, _ code: String) throws {
        var talk = try self.talk()
        #expect(self.last(of: &talk, "MAIL FROM:<a@c.test> \(parameter)") == code)
        // What was refused has left nothing behind.
        if code != "250" { #expect(self.last(of: &talk, "RCPT TO:<b@relay.test>") == "503") }
    }

    @Test(
        "hostile-input 9: parameters of RCPT that are malformed, duplicate or unknown are refused",
        arguments: [
            ("NOTIFY", "501"), ("NOTIFY=", "501"), ("NOTIFY=NEVER,DELAY", "501"), ("NOTIFY=DELAY,DELAY", "501"),
            ("NOTIFY=SUCCESS NOTIFY=SUCCESS", "501"), ("NOTIFY=OFTEN", "501"), ("ORCPT", "501"), ("ORCPT=a", "501"),
            ("ORCPT=;a", "501"), ("ORCPT=rfc822;", "501"), ("ORCPT=rfc822;a+00", "501"), ("ORCPT=rfc822;a+0", "501"),
            ("ORCPT=utf-8;ä@c.test", "501"), ("ORCPT=utf-8;+5Cx{E4}@c.test", "250"),
            ("ORCPT=utf-8;\\x{1B}@c.test", "501"), ("ORCPT=utf-8;a\\x{0D}\\x{0A}", "501"), ("ORCPT=utf-8;\\x{", "501"),
            ("RET=FULL", "555"),
            ("SMTPUTF8", "555"), ("X", "555"),
        ])
    func recipientParameters(_ parameter: String, _ code: String) throws {
        var talk = try self.talk("MAIL FROM:<a@c.test>\r\n")
        #expect(self.last(of: &talk, "RCPT TO:<b@relay.test> \(parameter)") == code)
        #expect(talk.session.envelope?.recipients.count == (code == "250" ? 1 : 0))
    }

    @Test("ENVID may have 100 bytes and ORCPT 500, and not one more")
    func lengths() throws {
        for (length, code) in [(100, "250"), (101, "501")] {
            var talk = try self.talk()
            #expect(self.last(of: &talk, "MAIL FROM:<> ENVID=" + String(repeating: "x", count: length)) == code)
        }
        for (length, code) in [(493, "250"), (494, "501")] {
            var talk = try self.talk("MAIL FROM:<>\r\n")
            let value = "rfc822;" + String(repeating: "x", count: length)
            #expect(self.last(of: &talk, "RCPT TO:<b@relay.test> ORCPT=\(value)") == code)
        }
    }

    @Test("Without authentication AUTH= is a parameter like any other that is not known")
    func authNotOffered() throws {
        var talk = try ServerConversation()
        talk.send("EHLO c.test\r\nMAIL FROM:<a@c.test> AUTH=<>\r\n")
        #expect(talk.transcript == ["250", "555"])
    }

    // MARK: SMTPUTF8

    @Test("With SMTPUTF8 local parts are UTF-8, and U-labels become A-labels where they are read (RFC 6531 §3.3)")
    func internationalAddresses() throws {
        var talk = try self.talk()
        talk.send("MAIL FROM:<jörg@bücher.test> SMTPUTF8\r\n")
        talk.send("RCPT TO:<用户@BÜCHER.test> ORCPT=utf-8;用户@bücher.test\r\n")
        talk.send("RCPT TO:<plain@relay.test>\r\n")
        #expect(talk.transcript == ["250", "250", "250"])
        let envelope = try #require(talk.session.envelope)
        #expect(envelope.isInternational)
        #expect("\(envelope.reversePath)" == "<jörg@xn--bcher-kva.test>")
        #expect(envelope.recipients.map { "\($0.path)" } == ["<用户@xn--bcher-kva.test>", "<plain@relay.test>"])
        #expect(envelope.recipients[0].originalRecipient?.address == #"\x{7528}\x{6237}@b\x{FC}cher.test"#)
    }

    @Test("An address that is none is 501 5.1.3, or 5.1.7 of a sender, and named (field C11)")
    func badAddress() throws {
        var talk = try self.talk()
        talk.send("MAIL FROM:<a b@c.test>\r\n")
        #expect(talk.lastReply == "501 5.1.7 Not a valid address: <a b@c.test>")
        talk.send("MAIL FROM:<a@c.test> SMTPUTF8\r\n")
        for (written, named) in [
            ("<b@>", "<b@>"), ("b@relay.test SIZE=1", "b@relay.test"), ("<b@relay.test", "<b@relay.test"), ("", ""),
            ("<ä@a\u{200D}b.test>", "<?@a?b.test>"), ("<b@[192.0.2.300]>", "<b@[192.0.2.300]>"),
        ] {
            talk.send("RCPT TO:\(written)\r\n")
            #expect(talk.lastReply == "501 5.1.3 Not a valid address: \(named)")
        }
        talk.send("RCPT TO:<\(String(repeating: "ä", count: 900))>\r\n")
        #expect(talk.lastReply.hasPrefix("501 5.1.3 ") && talk.lastReply.utf8.count < 512)
        talk.send("RCPT TO:<john..doe@relay.test>\r\n")
        #expect(talk.session.envelope?.recipients.map { "\($0.path)" } == ["<\"john..doe\"@relay.test>"])
    }

    @Test(
        "hostile-input 13: a UTF-8 address without SMTPUTF8 is 553 5.6.7, be it in its local part or its domain",
        arguments: ["ä@c.test", "a@bücher.test", "\"ä SMTPUTF8\"@c.test", "a@ungültig.test"])
    func notDeclared(_ address: String) throws {
        var sender = try self.talk()
        #expect(self.last(of: &sender, "MAIL FROM:<\(address)>") == "553")
        guard !address.contains("ungültig") else { return }
        var recipient = try self.talk("MAIL FROM:<>\r\n")
        #expect(self.last(of: &recipient, "RCPT TO:<\(address)>") == "553")
        #expect(SMTPServerReplies.internationalAddress.enhancedStatus == EnhancedStatusCode("5.6.7"))
    }

    @Test("hostile-input 13: invalid UTF-8 is 501, declared or not, and so is a domain that IDNA does not know")
    func invalidUTF8() throws {
        let fragments: [[UInt8]] = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]
        for bytes in fragments {
            for declaration in ["", " SMTPUTF8"] {
                var talk = try self.talk()
                talk.send(Array("MAIL FROM:<".utf8) + bytes + Array("@c.test>\(declaration)\r\n".utf8))
                talk.send("MAIL FROM:<> SMTPUTF8\r\n")
                talk.send(Array("RCPT TO:<".utf8) + bytes + Array("@relay.test>\r\n".utf8))
                talk.send(Array("VRFY ".utf8) + bytes + Array(" SMTPUTF8\r\n".utf8))
                #expect(talk.transcript == ["501", "250", "501", "501"])
            }
        }
        var talk = try self.talk("MAIL FROM:<> SMTPUTF8\r\n")
        #expect(self.last(of: &talk, "RCPT TO:<a@ungültig.test>") == "501")
        // C1 controls are no text either.
        #expect(self.last(of: &talk, "RCPT TO:<a\u{85}b@relay.test>") == "501")
    }

    // MARK: Plain data

    @Test(
        "hostile-input 10: what a shell or SQL would read is plain data; control bytes are refused",
        arguments: [
            ("<;sh>", "501"), ("<';DROP-TABLE-x;--@c.test>", "501"), ("<'or'1'='1@c.test>", "250"),
            ("<$(reboot)@c.test>", "501"), ("<`id`@c.test>", "250"), ("<|/bin/sh@c.test>", "250"),
            ("<\"x'; DROP TABLE y; --\"@c.test>", "250"), ("<a\u{1b}[2J@c.test>", "501"), ("<a\u{7}@c.test>", "501"),
            ("<\"a\u{8}b\"@c.test>", "501"), ("<a@c.test\u{1}>", "501"), ("<a@c.test> X=\u{1b}", "501"),
        ])
    func plainData(_ argument: String, _ code: String) throws {
        var talk = try self.talk()
        #expect(self.last(of: &talk, "MAIL FROM:\(argument)") == code)
        var recipient = try self.talk("MAIL FROM:<>\r\n")
        #expect(self.last(of: &recipient, "RCPT TO:\(argument)") == code)
    }

    @Test("hostile-input 10: control bytes in HELO, VRFY and AUTH are refused")
    func controlBytes() throws {
        var talk = try self.talk()
        for line in [
            "EHLO a\u{1b}b", "HELO a\u{7f}", "EHLO a b", "EHLO bücher.test", "EHLO", "VRFY a\u{1}", "AUTH \u{1}",
        ] {
            #expect(self.last(of: &talk, line) == "501", "\(line.debugDescription)")
        }
    }

    // MARK: Other commands

    @Test("HELP is 214, VRFY 252 with SMTPUTF8 or without, EXPN 502")
    func otherCommands() throws {
        var talk = try self.talk()
        talk.send("HELP\r\nHELP MAIL\r\nVRFY bob\r\nVRFY <jörg@c.test> SMTPUTF8\r\nVRFY jörg\r\nVRFY\r\nEXPN list\r\n")
        #expect(talk.transcript == ["214", "214", "252", "252", "553", "501", "502"])
    }

    @Test("LIMITS: the MAIL over the limit is 421 whatever became of those before (RFC 9422)")
    func messagesPerConnection() throws {
        var limits = SMTPServerLimits()
        limits.messages = 3
        var talk = try ServerConversation(limits: limits)
        talk.send("EHLO c.test\r\nMAIL FROM:<> X=1\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n")
        #expect(talk.transcript == ["250", "555", "250", "250", "250", "250", "421", "closed"])
    }

    @Test("hostile-input 11: recipients beyond the limit are 452 as often again, and then errors")
    func recipientOvershoot() throws {
        var limits = SMTPServerLimits()
        (limits.recipients, limits.errors) = (5, 3)
        var talk = try ServerConversation(limits: limits)
        talk.send("EHLO c.test\r\nMAIL FROM:<>\r\n" + String(repeating: "RCPT TO:<b@relay.test>\r\n", count: 20))
        let accepted = Array(repeating: "250", count: 7)
        #expect(talk.transcript == accepted + Array(repeating: "452", count: 7) + ["421", "closed"])
    }

    @Test("Recipients that the owner puts off are counted in the same way")
    func putOff() throws {
        var limits = SMTPServerLimits()
        (limits.recipients, limits.errors) = (5, 3)
        var talk = try ServerConversation(limits: limits)
        talk.recipientRefusal = SMTPReply(451, nil, "Not now")
        talk.send("EHLO c.test\r\nMAIL FROM:<>\r\n" + String(repeating: "RCPT TO:<b@relay.test>\r\n", count: 20))
        #expect(talk.transcript == ["250", "250"] + Array(repeating: "451", count: 7) + ["421", "closed"])
    }

    // MARK: One reset

    @Test(
        "hostile-input 8: whatever ends a transaction forgets its sender, recipients and parameters",
        arguments: ["RSET\r\n", "EHLO c.test\r\n", "DATA\r\n", "BDAT 3\r\na\nb", "BDAT 1 LAST\r\nx", "STARTTLS\r\n"])
    func reset(_ end: String) throws {
        for feeding in Feeding.allCases {
            var talk = try self.talk("MAIL FROM:<a@c.test> SMTPUTF8 RET=FULL ENVID=x SIZE=10 BODY=8BITMIME\r\n")
            talk.send("RCPT TO:<b@relay.test> NOTIFY=NEVER\r\n")
            talk.send(end, feeding)
            if end == "DATA\r\n" { talk.send("x\r\n.\r\n", feeding) }
            if end == "STARTTLS\r\n" { talk.send("EHLO c.test\r\n", feeding) }
            talk.transcript = []
            talk.send("RCPT TO:<c@relay.test>\r\nMAIL FROM:<>\r\nRCPT TO:<ä@relay.test>\r\nRCPT TO:<d@relay.test>\r\n")
            #expect(talk.transcript == ["503", "250", "553", "250"])
            var expected = Envelope(reversePath: .null, hello: .init(name: "c.test", isExtended: true))
            expected.recipients = [EnvelopeRecipient(try #require(ForwardPath("<d@relay.test>")))]
            #expect(talk.session.envelope == expected)
        }
    }
}
