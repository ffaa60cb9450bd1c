import MailModel
import Testing

/// Which network an address is of.
@Suite("Networks of addresses")
struct IPAddressNetworkTests {
    @Test(
        "A prefix of any length clears what is behind it, and nothing before it",
        arguments: [0, 1, 24, 31, 32, 33, 63, 64, 65, 127, 128, 200])
    func masks(length: Int) {
        for (address, width) in [(IPAddress.v4(.max), 32), (.v6(.max, .max), 128)] {
            let bytes = address.masked(to: length).bytes
            for bit in 0..<width {
                let isSet = bytes[bit / 8] & UInt8(0x80 >> (bit % 8)) != 0
                #expect(isSet == (bit < length))
            }
        }
    }

    @Test(
        "Addresses of one network have the same first address, an IPv4-mapped one that of the IPv4 address",
        arguments: [
            ("192.0.2.77", "192.0.2.0"), ("::ffff:192.0.2.77", "192.0.2.0"), ("192.0.3.0", "192.0.3.0"),
            ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::"), ("2001:db8:0:2::", "2001:db8:0:2::"),
        ])
    func networks(_ address: String, _ first: String) throws {
        let address = try #require(IPAddress(address))
        #expect(address.network(ipv4: 24, ipv6: 64) == IPAddress(first))
        #expect(address.network(ipv4: 32, ipv6: 128) == address.unmapped)
    }
}
