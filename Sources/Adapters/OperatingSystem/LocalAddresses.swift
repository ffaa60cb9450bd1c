import Glibc
public import MailModel

/// The addresses of this machine.
public enum LocalAddresses {
    /// Those of all interfaces.
    public static func ofInterfaces() throws(NoInterfaces) -> [IPAddress] {
        var first: UnsafeMutablePointer<ifaddrs>?
        // The call makes a list of its own, which is freed here.
        guard unsafe getifaddrs(&first) == 0 else { throw NoInterfaces(errno: errno) }
        defer { unsafe freeifaddrs(first) }
        var addresses: [IPAddress] = []
        // Each element points to the next, and the last to none.
        var next = unsafe first
        while let interface = unsafe next {
            if let address = unsafe interface.pointee.ifa_addr { addresses += unsafe Self.address(at: address) }
            unsafe next = interface.pointee.ifa_next
        }
        return addresses
    }

    /// The system does not say which interfaces there are.
    public struct NoInterfaces: Error, CustomStringConvertible {
        let errno: CInt

        public var description: String {
            "the addresses of this machine are unknown: \(systemWords(errno: self.errno))"
        }
    }

    /// Why connections cannot come from `address`; `nil` if they can.
    public static func refusal(of address: IPAddress) -> String? {
        RouteProbe.bindError(source: address).map { Self.refusal(of: address, errno: $0) }
    }

    /// The same in words, for what binding a socket to the address failed with.
    public static func refusal(of address: IPAddress, errno: CInt) -> String {
        guard ConnectFault(errno: errno) == .sourceAddress else {
            return "\(address) cannot be used on this machine: \(systemWords(errno: errno))"
        }
        return "\(address) is no address of this machine"
    }

    /// An IPv4 or IPv6 address, without the link that an IPv6 address may belong to; none of another kind.
    private static func address(at pointer: UnsafePointer<sockaddr>) -> [IPAddress] {
        switch unsafe CInt(pointer.pointee.sa_family) {
        case AF_INET:
            // Its family says which kind of socket address stands there.
            let address = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in.self)
            return [.v4(UInt32(bigEndian: address.sin_addr.s_addr))]
        case AF_INET6:
            let address = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in6.self)
            // The structure is sixteen bytes, and nothing else.
            return unsafe withUnsafeBytes(of: address.sin6_addr) { unsafe IPAddress(bytes: $0) }.map { [$0] } ?? []
        default: return []
        }
    }
}
