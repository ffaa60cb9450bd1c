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
            let length = Int(parts[1]), length <= width, Self.masked(address.bytes, length) == address.bytes
        else { return nil }
        self.prefixLength = length
    }

    /// Whether `address` is of this network. An IPv4-mapped IPv6 address counts as the IPv4 address that it carries.
    public func contains(_ address: IPAddress) -> Bool {
        let bytes = address.unmapped.bytes
        return bytes.count == self.network.bytes.count && Self.masked(bytes, self.prefixLength) == self.network.bytes
    }

    private static func masked(_ bytes: [UInt8], _ length: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, length - index * 8))
            return byte & UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
    }
}

extension CIDRBlock: CustomStringConvertible {
    public var description: String { "\(self.network)/\(self.prefixLength)" }
}

extension IPAddress {
    /// This address with all bits behind the first `length` cleared.
    func masked(to length: Int) -> IPAddress {
        switch self {
        // Shifting by the whole width gives zero.
        case .v4(let value): .v4(value & UInt32.max << (32 - length))
        case .v6(let high, let low):
            .v6(high & UInt64.max << max(0, 64 - length), low & UInt64.max << min(64, 128 - length))
        }
    }
}
