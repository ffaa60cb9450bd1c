import Glibc
import Synchronization

/// Loopback ports for the lab's servers.
public enum Ports {
    /// Below the ports that Linux gives to outgoing connections and to whoever asks for port 0 (from 32768). Above the
    /// ones that well-known services have.
    public static let range: ClosedRange<UInt16> = 20_000...32_700

    private static let loopback: UInt32 = 0x7F00_0001

    private static let given = Mutex<Set<UInt16>>([])

    /// A TCP port on 127.0.0.1 that was free just now, also for UDP, and was not given to another caller in this process.
    ///
    /// Nothing holds it, but since the kernel does not hand it out either, only another lab could take it.
    public static func unused() -> UInt16 {
        for _ in 0..<1000 {
            let port = UInt16.random(in: Self.range)
            guard Self.canBind(Self.loopback, port, SOCK_STREAM), Self.canBind(Self.loopback, port, SOCK_DGRAM),
                Self.given.withLock({ $0.insert(port).inserted })
            else { continue }
            return port
        }
        preconditionFailure("no free loopback port in a thousand tries")
    }

    /// Whether a TCP port of 127.0.0.1 can be bound now.
    public static func isFree(_ port: UInt16) -> Bool { Self.canBind(Self.loopback, port, SOCK_STREAM) }

    /// Whether a server could have this port of an IPv4 address now.
    ///
    /// A child that another thread starts at this moment holds a copy of the socket until it is a program of its own.
    /// So it must be one that does not keep a server from the port.
    static func canBind(_ address: UInt32, _ port: UInt16, _ type: __socket_type) -> Bool {
        let descriptor = socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // As servers do: a port is free, too, while connections of the last server wait for their end. Over UDP it would
        // allow two servers at one port.
        var isReused: Int32 = type == SOCK_STREAM ? 1 : 0
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = address.bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
