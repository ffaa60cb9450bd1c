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
