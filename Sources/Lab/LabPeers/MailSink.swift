public import NIOCore
public import NIOPosix
public import TLSEngine

/// A server that takes mail as fast as it comes and keeps only the Message-IDs: the far end of a load test.
public struct MailSink: Sendable {
    /// The server beneath.
    public let peer: ScriptedPeer

    /// Starts a sink; with certificates it offers STARTTLS.
    public static func start(
        _ rules: [ScriptedRule] = [], hostName: String = "mx.sink.test", address: String = "127.0.0.1",
        port: UInt16 = 0, certificates: ServerCertificateStore? = nil,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> MailSink {
        MailSink(
            peer: try await ScriptedPeer.start(
                rules, hostName: hostName, address: address, port: port, certificates: certificates,
                keeping: .messageIDs, group: group))
    }

    /// Its port.
    public var port: UInt16 { self.peer.port }
    /// How many messages came, duplicates included.
    public var messageCount: Int { self.peer.messageCount }
    /// The ids seen, and how often each.
    public var messageIDs: [String: Int] { self.peer.messageIDs }

    /// Waits until so many messages came; `false` when time is up.
    public func wait(forMessages count: Int, within limit: Duration) async -> Bool {
        await self.peer.wait(within: limit) { $0.messageCount >= count }
    }

    /// Stops accepting.
    public func stop() async { await self.peer.stop() }
}
