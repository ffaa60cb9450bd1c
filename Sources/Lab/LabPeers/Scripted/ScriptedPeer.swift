import LabSupport
public import NIOCore
public import NIOPosix
public import TLSEngine

/// An SMTP server on loopback that behaves well, except where rules say otherwise; see `ScriptedRule`.
///
/// It keeps what it takes in memory. With certificates it offers STARTTLS; which ones it presents is how a forged
/// certificate is played.
public final class ScriptedPeer: Sendable {
    /// Where it listens.
    public let address: String
    /// Its port.
    public let port: UInt16
    private let recorder: ScriptedRecorder
    private let channel: any Channel

    /// Starts a peer.
    ///
    /// - Parameters:
    ///   - hostName: its name in the greeting.
    ///   - port: 0 picks one; below 1024 takes root.
    public static func start(
        _ rules: [ScriptedRule] = [], hostName: String = "mx.peer.test", address: String = "127.0.0.1",
        port: UInt16 = 0, certificates: ServerCertificateStore? = nil,
        keeping retention: ScriptedRetention = .everything,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> ScriptedPeer {
        let recorder = ScriptedRecorder(retention: retention, rules: rules)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (number, rules) = recorder.opened()
                    let conversation = ScriptedConversation(
                        hostName: hostName, rules: rules, connection: number, hasTLS: certificates != nil,
                        keepsContent: retention == .everything)
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptedPeerHandler(
                            conversation, certificates: certificates, recorder: recorder, connection: number))
                }
            }
            .bind(host: address, port: Int(port)).get()
        let bound = channel.localAddress?.port.flatMap(UInt16.init(exactly:)) ?? port
        return ScriptedPeer(address: address, port: bound, recorder: recorder, channel: channel)
    }

    /// Starts a peer without TLS, and stops it at the end of `body`.
    public static func with(
        _ rules: [ScriptedRule] = [], _ body: (ScriptedPeer) async throws -> Void
    ) async throws {
        let peer = try await ScriptedPeer.start(rules)
        do {
            try await body(peer)
        } catch {
            await peer.stop()
            throw error
        }
        await peer.stop()
    }

    private init(address: String, port: UInt16, recorder: ScriptedRecorder, channel: any Channel) {
        self.address = address
        self.port = port
        self.recorder = recorder
        self.channel = channel
    }

    /// Ends all stalls at once, those to come too.
    public func endStalls() { self.recorder.endStalls() }

    /// The messages taken so far whose content is kept, in order; also those refused or left without a reply after the dot.
    public var received: [ScriptedMail] { self.recorder.read { $0.mails } }

    /// How often each Message-ID was taken.
    public var messageIDs: [String: Int] { self.recorder.read { $0.messageIDs } }

    /// The messages that arrived and were not refused, in order, if it keeps `arrivals`.
    public var arrivals: [ScriptedArrival] { self.recorder.read { $0.arrivals } }

    /// How many messages were taken.
    public var messageCount: Int { self.recorder.read { $0.messageCount } }

    /// How many connections were made.
    public var connectionCount: Int { self.recorder.read { $0.connections } }

    /// How many of them came beyond the limit of `ScriptedRule(takes:beyond:)`.
    public var refusedCount: Int { self.recorder.read { $0.refused } }

    /// What happened, in order.
    public var events: [ScriptedEvent] { self.recorder.read { $0.events } }

    /// The lines that clients said, in order.
    public var commands: [String] {
        self.events.compactMap { event in
            if case .command(_, let line) = event { line } else { nil }
        }
    }

    /// Other rules for connections from now on.
    public func follow(_ rules: [ScriptedRule]) { self.recorder.replaceRules(rules) }

    /// Waits until `condition` holds; `false` when time is up.
    public func wait(within limit: Duration = .seconds(60), until condition: (ScriptedPeer) -> Bool) async -> Bool {
        await eventually(within: limit, every: .milliseconds(5)) { condition(self) }
    }

    /// Stops accepting; connections that are open live on until their clients leave.
    public func stop() async { try? await self.channel.close() }
}
