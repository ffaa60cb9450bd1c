import Testing

@testable import OperatorCommands

@Suite("Text of manual pages")
struct RoffWriterTests {
    @Test(
        "No text is taken for a request or an escape, and what is copied from a page is what stands there",
        arguments: [
            (".ready", "\\&.ready"), ("a\\b", "a\\eb"), ("--id", "\\-\\-id"),
            ("sender's \"x\"", "sender\\(aqs \\(dqx\\(dq"),
            ("a^b~c", "a\\(hab\\(tic"), ("§4", "\\[u00A7]4"), ("'quoted'", "\\(aqquoted\\(aq"),
        ])
    func escapes(_ text: String, _ roff: String) {
        var page = RoffWriter("x", section: 8, date: "2027-01-31", source: "relay")
        page.prose(text)
        #expect(page.text == ".TH \"X\" 8 \"2027-01-31\" \"relay\"\n.PP\n\(roff)\n")
    }

    @Test("Long text is broken between words, and no line begins with a dot")
    func lines() {
        var page = RoffWriter("x", section: 8, date: "", source: "")
        page.prose(String(repeating: ".word ", count: 40))
        let lines = page.text.split(separator: "\n").dropFirst(2)
        #expect(lines.count == 4 && lines.allSatisfy { $0.hasPrefix("\\&.word") && $0.utf8.count <= 80 })
    }

    @Test("What stands between backquotes is bold, each line is one, and blanks are single")
    func prose() {
        var page = RoffWriter("x", section: 8, date: "", source: "")
        page.prose("see `relayd  run`.\nAnd  more")
        #expect(page.text.hasSuffix(".PP\nsee \\fBrelayd run\\fR.\n.br\nAnd more\n"))
    }
}
