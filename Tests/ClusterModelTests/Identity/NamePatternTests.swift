import ClusterModel
import Testing

@Suite("Patterns of names")
struct NamePatternTests {
    @Test(
        "control 11: a token is for the names of its pattern",
        arguments: [
            ("edge-1", ["edge-1"], ["edge-11", "edge-", "", "xedge-1"]),
            ("edge-*", ["edge-", "edge-1", "edge-1.example.org"], ["edge", "xedge-1", ""]),
            ("*.example.org", ["a.example.org", "a.b.example.org"], ["example.org", "a.example.org.test"]),
            ("a*a", ["aa", "aba", "abca"], ["a", "ab", "ba"]),
            ("*", ["", "anything", "ann@example.org"], []),
        ])
    func matches(_ text: String, _ names: [String], _ others: [String]) throws {
        let pattern = try #require(NamePattern(text))
        #expect((names + others).filter(pattern.matches) == names)
        #expect(pattern.isExact == !text.contains("*"))
    }

    @Test(
        "A pattern has the bytes of names, and at most one *", arguments: ["", "**", "a*b*c", "A", "a b", "a/b", "é"])
    func wrong(_ text: String) { #expect(NamePattern(text) == nil) }

    @Test("A pattern has at most 253 bytes")
    func length() {
        #expect(NamePattern(String(repeating: "a", count: 253)) != nil)
        #expect(NamePattern(String(repeating: "a", count: 254)) == nil)
    }
}
