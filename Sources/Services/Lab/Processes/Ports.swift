import Glibc
import Synchronization

/// Loopback ports for the lab's servers.
public enum Ports {
    /// Below the ports that Linux gives to outgoing connections and to whoever asks for port 0 (from 32768), and above the
    /// ones that well-known services have.
    private static let range: ClosedRange<UInt16> = 20_000...32_700

    private static let given = Mutex<Set<UInt16>>([])

    /// A TCP port on 127.0.0.1 that was free just now, also for UDP, and was not given to another caller in this process.
    ///
    /// Nothing holds it, but since the kernel does not hand it out either, only another lab could take it.
    public static func unused() -> UInt16 {
        for _ in 0..<1000 {
            let port = UInt16.random(in: Self.range)
            guard Self.bind(SOCK_STREAM, port: port) != nil, Self.bind(SOCK_DGRAM, port: port) != nil,
                Self.given.withLock({ $0.insert(port).inserted })
            else { continue }
            return port
        }
        preconditionFailure("no free loopback port in a thousand tries")
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
