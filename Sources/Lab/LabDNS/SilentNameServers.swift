import Glibc
import LabSupport

/// Name servers that say nothing: each zone has one at an address of its own on loopback.
///
/// One socket stands for all of them. It is never read. So questions pile up in its buffer and are then dropped, and no
/// ICMP message tells a resolver that nobody is there.
public final class SilentNameServers: Sendable {
    /// One zone and its only server.
    public struct Zone: Hashable, Sendable {
        /// The zone's name, such as `d0.dead.test`.
        public let name: String
        /// An address of 127.77.0.0/16.
        public let address: String
    }

    /// The zones, in the order of their numbers.
    public let zones: [Zone]
    /// The port of all servers.
    public let port: UInt16
    private let socket: Int32

    /// So many zones below `parent`, named `d0` and so on; at most 64,000.
    public init(_ count: Int, below parent: String) throws {
        precondition((0...64_000).contains(count))
        self.zones = (0..<count).map {
            Zone(name: "d\($0).\(parent)", address: "127.77.\($0 / 250).\($0 % 250 + 1)")
        }
        self.port = Ports.unused()
        self.socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = self.port.bigEndian
        let (socket, size) = (self.socket, socklen_t(MemoryLayout<sockaddr_in>.size))
        let status = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, size) }
        }
        guard socket >= 0, status == 0 else { throw LabFailure("no silent name server: errno \(errno)") }
    }

    deinit { close(self.socket) }

    /// The zones for relayd's setting `resolver.stubs`, in YAML.
    public var stubs: String {
        let stubs = self.zones.map { "{zone: \($0.name), servers: [\"\($0.address):\(self.port)\"]}" }
        return "[\(stubs.joined(separator: ", "))]"
    }
}
