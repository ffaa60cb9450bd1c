import Glibc

/// Loopback addresses for servers whose port is fixed by a standard or by libc, such as 53 and 25.
public enum LoopbackAddress {
    /// An address in 127.64.0.0/10 on which `port` was free just now, over TCP and UDP; `nil` when this process may not
    /// bind such a port (below 1024 it takes root).
    public static func unused(port: UInt16) -> String? {
        for _ in 0..<20 {
            let address =
                UInt32(0x7F40_0000) | UInt32.random(in: 1..<0x3F_FFFF)
            guard Self.isFree(address, port, SOCK_STREAM), Self.isFree(address, port, SOCK_DGRAM) else { continue }
            return [24, 16, 8, 0].map { String(address >> $0 & 255) }.joined(separator: ".")
        }
        return nil
    }

    private static func isFree(_ host: UInt32, _ port: UInt16, _ type: __socket_type) -> Bool {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
