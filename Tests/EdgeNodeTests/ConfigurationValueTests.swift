import Admission
import MailModel
import Testing

@testable import EdgeNode

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
        "Byte counts read and print",
        arguments: [("0", 0), ("998", 998), ("512KiB", 524_288), ("50MiB", 52_428_800), ("1GiB", 1 << 30)])
    func byteCounts(_ text: String, _ bytes: Int) {
        #expect(ByteCount(text)?.bytes == bytes)
        #expect(ByteCount(bytes).description == text)
    }

    @Test("What is no byte count is refused", arguments: ["", "MiB", "-1", "+1", "50MB", "1.5MiB", "99999999999GiB"])
    func noByteCounts(_ text: String) { #expect(ByteCount(text) == nil) }

    @Test(
        "A network holds its addresses and no others",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true), ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false), ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false), ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ])
    func networks(_ network: String, _ address: String, _ isMember: Bool) throws {
        #expect(try #require(CIDRBlock(network)).contains(try #require(IPAddress(address))) == isMember)
    }

    @Test(
        "What is no network is refused, so also bits behind the prefix",
        arguments: ["192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "/8", "a/8", "::/129"])
    func noNetworks(_ text: String) { #expect(CIDRBlock(text) == nil) }

    @Test(
        "What is neither host nor address is no next hop",
        arguments: ["", ":25", "host:", "host:0", "host:65536", "::1:25:x", "[::1", "1.2.3", "1.2.3.4.5:25", "a b"])
    func noNextHops(_ text: String) { #expect(ConfiguredNextHop(text, domainName: { DomainName($0) }) == nil) }

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
