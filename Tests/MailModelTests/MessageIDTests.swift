import MailModel
import Testing

@Suite("Message ids")
struct MessageIDTests {
    @Test(
        "An id is the instant in milliseconds and 80 random bits; its text is read back in either case, and sorts by time"
    )
    func parts() throws {
        let id = MessageID(at: Timestamp(microseconds: 1_700_000_000_123_456), random: .max)
        #expect(id.milliseconds == 1_700_000_000_123)
        #expect(id.high & 0xffff == 0xffff && id.low == .max)
        let text = "\(id)"
        #expect(text.utf8.count == 26)
        #expect(MessageID(text) == id && MessageID(text.lowercased()) == id)
        let later = MessageID(at: Timestamp(microseconds: 1_700_000_000_124_000), random: 0)
        #expect(text < "\(later)")
    }

    @Test("An instant before 1970 counts as 1970")
    func negative() {
        #expect(MessageID(at: Timestamp(seconds: -1), random: 1) == MessageID(high: 0, low: 1))
    }

    @Test(
        "What is no id is not read",
        arguments: ["", "nonsense", "80000000000000000000000000", "0000000000000000000000000U"])
    func malformed(_ text: String) { #expect(MessageID(text) == nil) }
}
