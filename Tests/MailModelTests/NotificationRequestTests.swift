import MailModel
import Testing

@Suite struct NotificationRequestTests {
    @Test(
        "hostile-input 9: xtext stands for printable ASCII only (RFC 3461 §4)",
        arguments: [
            ("a+2Bb", "a+b"), ("a+20b", "a b"), ("plain", "plain"), ("+00", nil), ("+0A", nil), ("+7F", nil),
            ("+E4", nil),
            ("+2b", nil), ("+2", nil), ("+", nil), ("a=b", nil), ("a b", nil), ("", nil),
        ] as [(String, String?)])
    func xtext(_ wire: String, _ meaning: String?) {
        #expect(XText.decode(wire) == meaning)
        if let meaning { #expect(XText.decode(XText.encode(meaning)) == meaning) }
    }

    @Test(
        "NOTIFY is NEVER, or a list without repetition (RFC 3461 §4.1)",
        arguments: [
            ("never", "NEVER"), ("SUCCESS", "SUCCESS"), ("delay,failure", "FAILURE,DELAY"), ("NEVER,DELAY", nil),
            ("SUCCESS,SUCCESS", nil), ("", nil), ("SUCCESS,", nil), ("OTHER", nil),
        ] as [(String, String?)])
    func notify(_ wire: String, _ canonical: String?) {
        #expect(NotifyConditions(wire)?.description == canonical)
    }

    @Test("Who may not relay can ask neither for reports of success nor for the whole message (field A3)")
    func strangersWishes() throws {
        var envelope = Envelope(reversePath: .null, hello: .init(name: "x", isExtended: true))
        envelope.returnContent = .full
        let bob = ForwardPath.mailbox(try #require(Mailbox("bob@bravo.test")))
        let wishes: [NotifyConditions?] = [nil, .never, .success, [.success, .failure], [.failure, .delay]]
        envelope.recipients = wishes.map { EnvelopeRecipient(bob, notify: $0) }
        envelope.limitReports()
        #expect(envelope.returnContent == .headers)
        #expect(envelope.recipients.map(\.notify) == [nil, .never, .never, .failure, [.failure, .delay]])
    }

    @Test(
        "ORCPT is a type and an address in xtext (RFC 3461 §4.2)",
        arguments: [
            ("rfc822;bob@bravo.test", "rfc822;bob@bravo.test"), ("RFC822;b+2Bc@d.test", "rfc822;b+2Bc@d.test"),
            ("utf-8;\\x{E4}@d.test", "utf-8;\\x{E4}@d.test"), ("rfc822;", nil), ("bob@bravo.test", nil), (";x", nil),
            ("rfc822;+00", nil), ("rfc822;" + String(repeating: "a", count: 494), nil),
        ] as [(String, String?)])
    func originalRecipient(_ wire: String, _ canonical: String?) {
        #expect(OriginalRecipient(wire)?.description == canonical)
    }

    @Test(
        "A utf-8 address embeds characters only in a form that RFC 6533 §3 has, and never a control (field C15)",
        arguments: [
            "\\x{1B}", "\\x{0D}\\x{0A}", "\\x{D800}", "\\x{DFFF}", "\\x{110000}", "\\x{}", "\\x{", "\\x{E4", "\\xE4",
            "\\",
            "a\\", "\\X{E4}", "\\x{E4}\\x{7F}", "\\x{7F}", "\\x{85}", "\u{85}", "\\x{00}", "\\x{0}", "\\x{00E4}",
            "\\x{0000E4}",
            "\\x{41}", "\\x{+E4}", "\\x{-1}", "\\x{ E4}", "\\x{\u{665}\u{665}}", "\\x{\\x{E4}}", "+5Cx{1B}", "+5C",
            "\\x{100000000E4}",
        ])
    func embeddedUnicode(_ address: String) {
        #expect(OriginalRecipient("utf-8;\(address)") == nil)
        #expect(OriginalRecipient("utf-8;b\(address)@d.test") == nil)
    }

    @Test(
        "What RFC 6533 §3 allows is taken (field C15)",
        arguments: [
            "\\x{20}", "\\x{2B}\\x{3D}\\x{5C}", "\\x{A0}", "\\x{e4}\\x{E4}", "\\x{100}", "\\x{FFFD}", "\\x{1F600}",
            "\\x{10FFFF}",
            "\\x{D7FF}\\x{E000}", "x{1B}",
        ])
    func embeddedUnicodeTaken(_ address: String) {
        #expect(OriginalRecipient("utf-8;\(address)@d.test")?.address == "\(address)@d.test")
    }

    @Test("What is written in ASCII never stands for a control (field C15)")
    func embeddedControls() {
        let scalars = (0...0x9F).compactMap { Unicode.Scalar($0) }
        let controls = String(String.UnicodeScalarView(scalars.filter { $0.properties.generalCategory == .control }))
        let escaped = EmbeddedUnicode.escape(controls)
        #expect(EmbeddedUnicode.isValid(escaped))
        let read = EmbeddedUnicode.unescape(escaped).unicodeScalars
        #expect(read.allSatisfy { $0.properties.generalCategory != .control })
        #expect(read.count == controls.unicodeScalars.count)
    }

    @Test(
        "UTF-8 in xtext under rfc822, as Postfix 3.7 says it, is an address of type utf-8 (RFC 6533 §3)",
        arguments: [
            ("rfc822;bj+C3+B8rn@d.test", "utf-8;bj\\x{F8}rn@d.test"),
            ("rfc822;+2B+3D+5C+E7+94+A8@d.test", "utf-8;\\x{2B}\\x{3D}\\x{5C}\\x{7528}@d.test"), ("rfc822;bj+C3", nil),
            ("utf-8;" + String(repeating: "\u{7528}", count: 160) + "@d.test", nil),
            ("rfc822;+C2+85@d.test", nil), ("rfc822;+C3+B8+00", nil), ("x-other;bj+C3+B8rn", nil),
        ] as [(String, String?)])
    func unicodeOriginalRecipient(_ wire: String, _ canonical: String?) {
        let original = OriginalRecipient(wire)
        #expect(original?.description == canonical)
        #expect(canonical.flatMap { OriginalRecipient($0) } == original)
    }
}
