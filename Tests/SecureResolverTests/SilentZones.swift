import Foundation
import Glibc
import Lab
import MailModel
import SecureResolver

/// Name servers that say nothing, each at an address of its own on loopback.
final class SilentServers: Sendable {
    let zones: [SecureResolverSettings.StubZone]
    private let sockets: [Int32]

    /// So many zones below `parent`, each with a server of its own.
    init(_ count: Int, below parent: String) throws {
        var (zones, sockets): ([SecureResolverSettings.StubZone], [Int32]) = ([], [])
        let port = Ports.unused()
        for number in 0..<count {
            let text = "127.77.\(number / 250).\(number % 250 + 1)"
            guard let address = IPAddress(text), let zone = DomainName("d\(number).\(parent)") else { continue }
            let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = inet_addr(text)
            let status = withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard descriptor >= 0, status == 0 else { throw LabFailure("\(text): \(errno)") }
            sockets.append(descriptor)
            zones.append(.init(zone, servers: [.init(address, port: port)]))
        }
        (self.zones, self.sockets) = (zones, sockets)
    }

    deinit { for socket in self.sockets { close(socket) } }
}
