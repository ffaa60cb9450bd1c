import MailModel
import Testing

@testable import SMTPProtocol

/// What a client says of a message, by what the host offers.
@Suite("Client envelope") struct SMTPClientEnvelopeTests {
    private func capabilities(_ lines: String...) -> SMTPServerCapabilities {
        SMTPServerCapabilities(ehlo: RemoteReply(250, nil, lines: ["mx.test"] + lines))
    }

    // MARK: EHLO

    @Test("Each extension is read from its line, in any case")
    func extensions() {
        let all = self.capabilities(
            "pipelining", "STARTTLS", "8BitMIME", "SMTPUTF8", "CHUNKING", "DSN", "SIZE 1000",
            "LIMITS RCPTMAX=5 MAILMAX=20 RCPTDOMAINMAX=1", "XCLIENT NAME", "")
        #expect(all.pipelining && all.startTLS && all.eightBitMIME && all.smtpUTF8 && all.chunking && all.dsn)
        #expect(all.size && all.maximumSize == 1000)
        #expect(all.maximumRecipients == 5 && all.maximumTransactions == 20)
        #expect(self.capabilities() == SMTPServerCapabilities())
    }

    @Test(
        "A malformed limit counts as not given (RFC 9422 §4)",
        arguments: [
            "LIMITS", "LIMITS RCPTMAX", "LIMITS RCPTMAX=", "LIMITS RCPTMAX=0", "LIMITS RCPTMAX=-1",
            "LIMITS RCPTMAX=1000000", "LIMITS RCPTMAX=18446744073709551616", "LIMITS RCPTMAX==5", "LIMITS =",
            "LIMITS RCPTMAX=٥",
            "LIMITS RCPTMAX=5x", "LIMITSRCPTMAX=5",
        ])
    func malformedLimits(_ line: String) { #expect(self.capabilities(line) == SMTPServerCapabilities()) }

    @Test(
        "A malformed SIZE is an offer without a limit",
        arguments: ["SIZE", "SIZE 0", "SIZE -1", "SIZE 99999999999999999999"])
    func malformedSize(_ line: String) {
        let size = self.capabilities(line)
        #expect(size.size && size.maximumSize == nil)
    }

    // MARK: DSN

    private func notified(_ notify: NotifyConditions?, original: String? = nil) throws -> EnvelopeRecipient {
        EnvelopeRecipient(
            try #require(ForwardPath("<bob+x@mx.test>")), notify: notify,
            originalRecipient: try original.map { try #require(OriginalRecipient($0)) })
    }

    @Test("A host with DSN is told RET, ENVID, NOTIFY and ORCPT as they came; one without, nothing (RFC 3461 §5.2)")
    func dsn() throws {
        var message = SMTPClientMessage(
            reversePath: .null,
            recipients: [try self.notified([.success, .delay], original: "rfc822;Bob+2B@old.test")],
            body: .sevenBit, size: 10)
        message.returnContent = .headers
        message.envelopeID = "a+b c"
        let (with, without) = (self.capabilities("DSN"), self.capabilities("SIZE"))
        #expect(message.mailCommand(for: with) == "MAIL FROM:<> RET=HDRS ENVID=a+2Bb+20c")
        #expect(
            message.recipientCommand(0, for: with)
                == "RCPT TO:<bob+x@mx.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@old.test")
        #expect(message.mailCommand(for: without) == "MAIL FROM:<> SIZE=10")
        #expect(message.recipientCommand(0, for: without) == "RCPT TO:<bob+x@mx.test>")
    }

    @Test("ORCPT is made only for a sender who wants to hear, of the address that came (§5.2.1 d)")
    func impliedOriginal() throws {
        let recipients = try [
            self.notified(nil), self.notified(.never), self.notified(.failure),
            EnvelopeRecipient(try #require(ForwardPath(##"<"ü=\\"@mx.test>"##)), notify: .failure),
        ]
        let message = SMTPClientMessage(reversePath: .null, recipients: recipients, body: .sevenBit, size: 1)
        let capabilities = self.capabilities("DSN", "SMTPUTF8")
        #expect(
            recipients.indices.map { message.recipientCommand($0, for: capabilities) } == [
                "RCPT TO:<bob+x@mx.test>", "RCPT TO:<bob+x@mx.test> NOTIFY=NEVER",
                "RCPT TO:<bob+x@mx.test> NOTIFY=FAILURE ORCPT=rfc822;bob+2Bx@mx.test",
                ##"RCPT TO:<"ü=\\"@mx.test> NOTIFY=FAILURE ORCPT=utf-8;"\x{FC}\x{3D}\x{5C}\x{5C}"@mx.test"##,
            ])
    }

    @Test(
        "Who reports is told with the acceptance: the host where it has DSN, else we (§5.2.2)",
        arguments: [true, false])
    func whoReports(_ supportsDSN: Bool) throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING", supportsDSN ? "DSN" : "SIZE")
        try talk.begin(to: "a")
        talk.server("250 ok\r\n250 ok\r\n354 go\r\n")
        _ = talk.session.finishData()
        talk.server("250 stored\r\n")
        #expect(talk.outcomes == [.accepted(RemoteReply(250, nil, "stored"), supportsDSN: supportsDSN)])
    }

    // MARK: Too many recipients

    @Test(
        "452 beside accepted recipients is for the next transaction (RFC 5321 §4.5.3.1.10)",
        arguments: ["452 4.5.3 too many", "452 too many", "552 5.5.3 too many"])
    func surplus(_ line: String) throws {
        for feeding in Feeding.allCases {
            for pipelining in ["PIPELINING", "SIZE"] {
                var talk = try ClientConversation(.none, feeding)
                talk.getReady(pipelining)
                try talk.begin(to: "a", "b")
                for reply in ["250 ok", "250 ok", line, "354 go"] { talk.server("\(reply)\r\n") }
                _ = talk.session.finishData()
                talk.server("250 stored\r\n")
                #expect(talk.outcomes?.first == .accepted(RemoteReply(250, nil, "stored")))
                #expect(talk.outcomes?.last == .some(nil), "it had no turn")
            }
        }
    }

    @Test(
        "452 is for this recipient alone where it says so, where nobody was accepted before it, or nobody got the message",
        arguments: [
            (["250 ok", "452 4.2.2 full", "354 go", "250 stored"], 1),
            (["452 4.5.3 no", "250 ok", "354 go", "250 stored"], 0),
            (["250 ok", "452 4.5.3 too many", "451 4.3.0 no"], 1),
        ] as [([String], Int)])
    func noSurplus(_ lines: [String], _ index: Int) throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING")
        try talk.begin(to: "a", "b")
        talk.server("250 ok\r\n")
        for line in lines {
            talk.server("\(line)\r\n")
            _ = talk.session.finishData()
        }
        guard case .failed(let failure)? = talk.outcomes?[index] ?? nil else { return #expect(Bool(false)) }
        #expect(failure.reason == .remoteReply && !failure.isPermanent)
    }

    // MARK: SMTPUTF8

    @Test("SMTPUTF8 is asked for only where something needs it (RFC 6531 §3.4)")
    func smtpUTF8() throws {
        let capabilities = self.capabilities("SMTPUTF8", "8BITMIME")
        let (ascii, utf8) = (try #require(ReversePath("<s@relay.test>")), try #require(ReversePath("<sé@relay.test>")))
        let (bob, bøb) = (try #require(ForwardPath("<bob@mx.test>")), try #require(ForwardPath("<bøb@mx.test>")))
        func message(_ sender: ReversePath, _ recipients: ForwardPath...) -> SMTPClientMessage {
            SMTPClientMessage(
                reversePath: sender, recipients: recipients.map { EnvelopeRecipient($0) }, body: .eightBitMIME, size: 1)
        }
        #expect(message(ascii, bob).mailCommand(for: capabilities) == "MAIL FROM:<s@relay.test> BODY=8BITMIME")
        #expect(message(utf8, bob).mailCommand(for: capabilities).hasSuffix(" SMTPUTF8"))
        #expect(message(ascii, bob, bøb).mailCommand(for: capabilities).hasSuffix(" SMTPUTF8"))
        var header = message(ascii, bob)
        header.hasInternationalHeader = true
        #expect(header.mailCommand(for: capabilities).hasSuffix(" SMTPUTF8"))
    }

    @Test("hostile-input 23: without SMTPUTF8 an international recipient fails 5.6.7, and the others get the mail")
    func sparedRecipient() throws {
        for feeding in Feeding.allCases {
            var talk = try ClientConversation(.none, feeding)
            talk.getReady("PIPELINING", "8BITMIME")
            try talk.begin(to: "a", "bøb", "c")
            #expect(talk.written == ["MAIL FROM:<s@relay.test>", "RCPT TO:<a@mx.test>", "RCPT TO:<c@mx.test>", "DATA"])
            talk.server("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
            _ = talk.session.finishData()
            talk.server("250 stored\r\n")
            let stored = RemoteReply(250, nil, "stored")
            #expect(talk.outcomes?.first == .accepted(stored) && talk.outcomes?.last == .accepted(stored))
            let limitation = HostLimitation.noSMTPUTF8(neededBy: .recipient)
            #expect(talk.outcomes?[1] == .unsuitable(limitation))
            #expect(limitation.status == EnhancedStatusCode(.permanentFailure, 6, 7))
        }
    }

    @Test(
        "hostile-input 23: without SMTPUTF8 an international sender or header fails the message with 5.6.7",
        arguments: [true, false])
    func internationalMessage(_ isSender: Bool) throws {
        var talk = try ClientConversation()
        talk.getReady("PIPELINING", "8BITMIME")
        var message = SMTPClientMessage(
            reversePath: try #require(ReversePath(isSender ? "<sé@relay.test>" : "<s@relay.test>")),
            recipients: [EnvelopeRecipient(try #require(ForwardPath("<a@mx.test>")))], body: .eightBitMIME, size: 10)
        message.hasInternationalHeader = !isSender
        talk.begin(message)
        #expect(talk.outcomes == [.unsuitable(.noSMTPUTF8(neededBy: isSender ? .sender : .header))])
        #expect(talk.written.isEmpty && talk.session.stage == .ready)
    }
}
