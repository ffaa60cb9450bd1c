extension IPAddress {
    /// 127.0.0.1.
    public static let loopback = IPAddress.v4(0x7F00_0001)

    /// Of the newer family.
    public var isIPv6: Bool { if case .v6 = self { true } else { false } }

    /// `::ffff:192.0.2.1` as `192.0.2.1` (RFC 4291 §2.5.5.2); every other address as it is. A dual-stack listener sees IPv4
    /// clients in the mapped form.
    public var unmapped: IPAddress {
        guard case .v6(0, let low) = self, low >> 32 == 0xFFFF else { return self }
        return .v4(UInt32(truncatingIfNeeded: low))
    }

    /// Of this machine and of no other: `127.0.0.0/8` (RFC 1122 §3.2.1.3) and `::1`.
    public var isLoopback: Bool {
        switch self.unmapped {
        case .v4(let value): value >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// Nobody's address, `0.0.0.0` or `::`. A connection to it would end on this machine.
    public var isUnspecified: Bool { self.unmapped.bytes.allSatisfy { $0 == 0 } }

    /// This address with all bits behind the first `length` cleared: the first address of its network.
    ///
    /// - Parameter length: 0 to 32, or to 128 for IPv6; beyond the width nothing is cleared.
    public func masked(to length: Int) -> IPAddress {
        switch self {
        // Shifting by the whole width gives zero.
        case .v4(let value): .v4(value & UInt32.max << max(0, 32 - length))
        case .v6(let high, let low):
            .v6(high & UInt64.max << max(0, 64 - length), low & UInt64.max << min(64, max(0, 128 - length)))
        }
    }

    /// The first address of its network, where addresses with so many leading bits in common are one network. An IPv4-mapped
    /// address is the IPv4 address.
    ///
    /// - Parameters:
    ///   - ipv4: leading bits of an IPv4 address.
    ///   - ipv6: leading bits of an IPv6 address; a host usually has all of a /64 to itself.
    public func network(ipv4: Int, ipv6: Int) -> IPAddress {
        let address = self.unmapped
        return address.masked(to: address.isIPv6 ? ipv6 : ipv4)
    }
}
