import Glibc
import MailModel
import NIOCore
import NIOPosix
import RelayConfiguration
import Testing

@testable import DaemonSupport
@testable import OperatingSystem

@Suite("Addresses that are in use")
struct ListenErrorTests {
    @Test("A failed bind is told with address, holder and what helps, in no library's words")
    func words() throws {
        let endpoint = try #require(Endpoint("0.0.0.0:25"))
        let holder = PortHolder(process: .init(identifier: 812, command: "master"), user: 0)
        #expect(
            ListenError.words(errno: EADDRINUSE, at: endpoint, holder: holder)
                == "0.0.0.0:25 is in use, by master (process 812): end that, or choose another address or port")
        #expect(
            ListenError.words(errno: EADDRINUSE, at: endpoint, holder: PortHolder(process: nil, user: 7))
                .contains("by a process of user 7"))
        #expect(
            ListenError.words(errno: EACCES, at: endpoint, holder: nil).contains(
                "AmbientCapabilities=CAP_NET_BIND_SERVICE"))
        let foreign = try #require(Endpoint("192.0.2.1:2525"))
        #expect(
            ListenError.words(errno: EADDRNOTAVAIL, at: foreign, holder: nil)
                == "cannot listen on 192.0.2.1:2525: 192.0.2.1 is no address of this machine")
    }

    @Test("Lines of /proc/net/tcp and tcp6: address, port, user and inode of what listens")
    func lines() throws {
        let ipv4 = "   0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 4711 1 0"
        let socket = try #require(ListeningSocket(ipv4))
        #expect(socket.address == .loopback && socket.port == 25 && socket.user == 107 && socket.inode == 4711)
        let ipv6 =
            "   1: 00000000000000000000000000000000:0019 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 42 1"
        let any = try #require(ListeningSocket(ipv6))
        #expect(any.address == .v6(0, 0) && any.inode == 42)
        #expect(ListeningSocket(ipv4.replacing(" 0A ", with: " 01 ")) == nil, "an open connection does not listen")
        #expect(
            ListeningSocket("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid") == nil)
    }

    @Test("The holder of a port is found in a table that the kernel gives in several pieces")
    func holder() async throws {
        var channels: [any Channel] = []
        for _ in 0..<100 {
            channels.append(
                try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .bind(host: "127.0.0.1", port: 0).get())
        }
        for channel in channels.prefix(10) {
            let port = try #require(channel.localAddress?.port)
            #expect(PortHolder.find(.loopback, port: UInt16(port))?.process?.identifier == getpid())
        }
        for channel in channels { try await channel.close() }
    }

    @Test(
        "Who is in whose way",
        arguments: [
            ("127.0.0.1", "127.0.0.1", true), ("0.0.0.0", "127.0.0.1", true), ("127.0.0.1", "0.0.0.0", true),
            ("::", "127.0.0.1", true), ("127.0.0.1", "::", true), ("0.0.0.0", "::1", false),
            ("127.0.0.1", "127.0.0.2", false), ("::1", "127.0.0.1", false),
        ])
    func inTheWay(_ own: String, _ other: String, _ expected: Bool) throws {
        let socket = ListeningSocket(
            address: try #require(IPAddress(own)), port: 25, user: 0, inode: 1)
        #expect(socket.isInTheWay(of: try #require(IPAddress(other)), port: 25) == expected)
        #expect(!socket.isInTheWay(of: try #require(IPAddress(other)), port: 26))
    }
}
