import Glibc

/// Loopback ports for the lab's servers.
public enum Ports {
    /// A TCP port on 127.0.0.1 that was free just now, also for UDP. The kernel does not hand it out again soon.
    public static func unused() -> UInt16 {
        for _ in 0..<100 {
            guard let port = Self.bind(SOCK_STREAM, port: 0), Self.bind(SOCK_DGRAM, port: port) != nil else { continue }
            return port
        }
        preconditionFailure("no free loopback port in a hundred tries")
    }

    /// Whether a TCP port of 127.0.0.1 can be bound now.
    public static func isFree(_ port: UInt16) -> Bool {
        Self.bind(SOCK_STREAM, port: port, besideOldConnections: true) != nil
    }

    private static func bind(_ type: __socket_type, port: UInt16, besideOldConnections: Bool = false) -> UInt16? {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        defer { close(descriptor) }
        // A server's port is free for the next server while connections of the last one wait for their end.
        var isReused: Int32 = besideOldConnections ? 1 : 0
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard Glibc.bind(descriptor, generic, length) == 0,
                    getsockname(descriptor, generic, &length) == 0
                else { return nil }
                return UInt16(bigEndian: pointer.pointee.sin_port)
            }
        }
    }
}
