import MailModel
import Routing
import Testing

@testable import RelayConfiguration

@Suite("Values of the configuration")
struct ConfigurationValueTests {
    @Test(
        "Durations read and print",
        arguments: [("15m", 900.0), ("24h", 86_400), ("1d", 86_400), ("1h30m", 5400), ("250ms", 0.25), ("0s", 0)])
    func durations(_ text: String, _ seconds: Double) throws {
        let duration = try #require(Duration(configurationText: text))
        #expect(duration == .milliseconds(Int64(seconds * 1000)))
        #expect(Duration(configurationText: duration.configurationText) == duration)
    }

    @Test(
        "What is no duration is refused",
        arguments: [
            "", "15", "m", "-1s", "1m1h", "1s1s", "1.5h", "1w", "99999999999999999999d", "9999999999999d", "١s",
        ])
    func noDurations(_ text: String) { #expect(Duration(configurationText: text) == nil) }

    @Test(
        "What is neither host nor address is no next hop",
        arguments: ["", ":25", "host:", "host:0", "host:65536", "::1:25:x", "[::1", "1.2.3", "1.2.3.4.5:25", "a b"])
    func noNextHops(_ text: String) { #expect(NextHop(settingText: text, domainName: { DomainName($0) }) == nil) }

    @Test(
        "A scalar is quoted where YAML would read something else",
        arguments: ["no", "", "- a", "a: b", "\"", "\u{1}", "é#"])
    func quoting(_ text: String) throws {
        let node = try ConfigurationNode.parse("k: \(YAMLText.quoted(text))") { .file("x", line: $0) }
        guard case .mapping(let entries) = node?.content else {
            Issue.record("not a mapping")
            return
        }
        #expect(entries[0].value.scalar == text)
    }
}
