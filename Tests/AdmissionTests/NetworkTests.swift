import MailModel
import Testing

@testable import Admission

/// Networks and sizes, as they are written.
@Suite("Networks and sizes")
struct NetworkTests {
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
        "Networks count as their union, over the addresses that hosts may have",
        arguments: [
            (["0.0.0.0/0"], 100, 0), (["0.0.0.0/1", "128.0.0.0/1"], 100, 0), (["0.0.0.0/1"], 57, 0),
            (["0.0.0.0/1", "10.0.0.0/8", "127.0.0.1"], 57, 0), (["224.0.0.0/3"], 0, 0), (["10.0.0.0/8"], 0, 0),
            (["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/3", "160.0.0.0/3"], 85, 0), (["::/1", "8000::/1"], 0, 100),
            (["2000::/3"], 0, 100), (["2000::/4"], 0, 50), (["2001:db8::/32", "::1"], 0, 0),
            (["::/0", "0.0.0.0/0"], 100, 100), ([], 0, 0),
        ])
    func coverage(_ networks: [String], _ ipv4: Int, _ ipv6: Int) throws {
        let blocks = try networks.map { try #require(CIDRBlock($0)) }
        #expect(Int(NetworkCoverage(of: blocks, in: .ipv4).share * 100) == ipv4)
        #expect(Int(NetworkCoverage(of: blocks, in: .ipv6).share * 100) == ipv6)
    }
}
