import MailModel
import Testing

@testable import OperatorCommands

@Suite("Date of manual pages")
struct ManualDateTests {
    /// 2027-01-15.
    private static let now = Timestamp(seconds: 1_800_000_000)

    @Test(
        "A page has the day that builds are told, and else today's",
        arguments: [(nil, "2027-01-15"), ("86400", "1970-01-02"), ("yesterday", "2027-01-15")] as [(String?, String)])
    func date(_ given: String?, _ text: String) {
        #expect(ManualDate.text(given: given, now: Self.now) == text)
    }
}
