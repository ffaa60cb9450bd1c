public import MailModel

/// A network such as `192.0.2.0/24` or `2001:db8::/32` (RFC 4632); an address alone is a network of one.
public struct CIDRBlock: Hashable, Sendable {
    public let network: IPAddress
    public let prefixLength: Int

    /// Addresses of this machine only.
    public static let loopback: [CIDRBlock] = ["127.0.0.0/8", "::1"].compactMap { CIDRBlock($0) }

    /// Reads `address` or `address/length`. Bits behind the prefix must be zero: they are most often a typing error.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        let width = address.bytes.count * 8
        self.network = address
        guard parts.count == 2 else {
            self.prefixLength = width
            return
        }
        guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(parts[1]), length <= width, address.masked(to: length) == address
        else { return nil }
        self.prefixLength = length
    }

    /// Whether `address` is of this network. An IPv4-mapped IPv6 address counts as the IPv4 address that it carries.
    public func contains(_ address: IPAddress) -> Bool {
        let address = address.unmapped
        return address.isIPv6 == self.network.isIPv6 && address.masked(to: self.prefixLength) == self.network
    }
}

extension CIDRBlock: CustomStringConvertible {
    public var description: String { "\(self.network)/\(self.prefixLength)" }
}
