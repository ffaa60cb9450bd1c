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
}
