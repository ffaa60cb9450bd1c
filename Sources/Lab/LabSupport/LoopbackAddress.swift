import Glibc

/// Loopback addresses for servers whose port is fixed by a standard or by libc, such as 53 and 25.
public enum LoopbackAddress {
    /// An address in 127.64.0.0/10 on which `port` was free just now, over TCP and UDP. It is `nil` when this process
    /// may not bind such a port (below 1024 it takes root).
    public static func unused(port: UInt16) -> String? {
        for _ in 0..<20 {
            let address =
                UInt32(0x7F40_0000) | UInt32.random(in: 1..<0x3F_FFFF)
            guard Ports.canBind(address, port, SOCK_STREAM), Ports.canBind(address, port, SOCK_DGRAM) else { continue }
            return [24, 16, 8, 0].map { String(address >> $0 & 255) }.joined(separator: ".")
        }
        return nil
    }
}
