import Glibc
public import MailModel

/// Asks the system whether it would send to an address: by its routes, its rules, and the source address. Nothing is sent,
/// because "connecting" a datagram socket only looks the route up.
public enum RouteProbe {
    /// Why it would not; `nil` if it would, or if the answer says nothing of this system.
    public static func fault(to address: IPAddress, port: UInt16, from source: IPAddress? = nil) -> ConnectFault? {
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return ConnectFault(errno: errno) }
        defer { close(descriptor) }
        if let source, unsafe Self.withAddress(source, port: 0, { unsafe bind(descriptor, $0, $1) }) != 0 {
            return ConnectFault(errno: errno)
        }
        guard unsafe Self.withAddress(address, port: port, { unsafe connect(descriptor, $0, $1) }) != 0 else {
            return nil
        }
        return ConnectFault(errno: errno)
    }

    /// What the system answers to binding a socket to an address, where it is not 0.
    static func bindError(source: IPAddress) -> CInt? {
        let descriptor = socket(
            source.isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        return unsafe Self.withAddress(source, port: 0) { unsafe bind(descriptor, $0, $1) } == 0 ? nil : errno
    }

    /// Calls the body with the address as the C library has it, which is valid no longer than the call.
    private static func withAddress(
        _ address: IPAddress, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        switch address {
        case .v4(let value):
            var ipv4 = sockaddr_in()
            ipv4.sin_family = sa_family_t(AF_INET)
            ipv4.sin_port = port.bigEndian
            ipv4.sin_addr = in_addr(s_addr: value.bigEndian)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            return unsafe withUnsafePointer(to: &ipv4) { pointer in
                // Each kind of socket address begins like the general one.
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
            }
        case .v6:
            var ipv6 = sockaddr_in6()
            ipv6.sin6_family = sa_family_t(AF_INET6)
            ipv6.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &ipv6.sin6_addr) { unsafe $0.copyBytes(from: address.bytes) }
            let size = socklen_t(MemoryLayout<sockaddr_in6>.size)
            return unsafe withUnsafePointer(to: &ipv6) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
            }
        }
    }
}
