import MailModel
import Testing

@Suite("Text in JSON and YAML")
struct JSONTextTests {
    @Test(
        "Quotes and controls are escaped, and with them what terminals and readers obey; the rest stays",
        arguments: [
            ("", #""""#), ("grüße 'x'", #""grüße 'x'""#), ("a \"b\" \\", #""a \"b\" \\""#), ("\n\r\t", #""\n\r\t""#),
            ("\0\u{1b}[2J", #""\u0000\u001b[2J""#), ("\u{7f}\u{9b}", #""\u007f\u009b""#),
            ("\u{2028}\u{2029}", #""\u2028\u2029""#),
        ])
    func quoted(_ text: String, _ expected: String) {
        #expect(JSONText.quoted(text) == expected)
    }

    @Test("What is too long is cut between characters, and says so")
    func cut() {
        #expect(JSONText.quoted("üüü", atMost: 4) == "\"üü…\"")
        #expect(JSONText.quoted("üü", atMost: 4) == "\"üü\"")
        #expect(JSONText.quoted("aü", atMost: 2) == "\"a…\"")
    }
}
