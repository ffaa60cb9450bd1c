import Logging
import MailModel
import NIOCore
import NIOPosix
import Telemetry

/// Takes SMTP connections at one address.
struct SMTPListener: Sendable {
    let settings: Listener
    let environment: InboundEnvironment
    let limiter: ConnectionLimiter
    /// The clients that are being served.
    let clients: ChannelRegistry
    let group: MultiThreadedEventLoopGroup
    let logger: Logger

    /// Binds the address. Close the channel to take no more connections; those that are open go on.
    func bind() async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // The handler asks for each read, and so decides how much of a client is in memory.
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.initialise(channel) }
            }
        let address = self.settings.address
        let channel = try await bootstrap.bind(host: "\(address.address)", port: Int(address.port)).get()
        self.logger.info("listening", metadata: ["listener": "\(self.settings.name)", "address": "\(address)"])
        return channel
    }

    private func initialise(_ channel: any Channel) throws {
        let label = ListenerLabel(self.settings.name)
        let client = channel.remoteAddress.flatMap { IPAddress($0) } ?? .v4(0)
        let (limiter, metrics) = (self.limiter, self.environment.metrics)
        switch limiter.admit(client) {
        case .admitted:
            self.clients.add(channel)
            metrics.smtpdConnectionsTotal.increment(label, .accepted)
            metrics.smtpdConnections.add(label, 1)
            channel.closeFuture.whenComplete { _ in
                limiter.closed(client)
                metrics.smtpdConnections.add(label, -1)
            }
            try channel.pipeline.syncOperations.addHandler(
                InboundConnection(environment: self.environment, client: client))
            // A drain that began meanwhile may have missed it.
            if limiter.isDraining {
                channel.pipeline.fireUserInboundEventTriggered(InboundConnection.Drain())
            }
        case .overLimit:
            metrics.smtpdConnectionsTotal.increment(label, .refusedLimit)
            try channel.pipeline.syncOperations.addHandler(RefusingHandler("4.7.0 Too many connections, try later"))
        case .draining:
            metrics.smtpdConnectionsTotal.increment(label, .refusedDraining)
            try channel.pipeline.syncOperations.addHandler(RefusingHandler("4.3.2 Service is shutting down"))
        }
    }
}

/// Tells a client that it cannot be served, and closes.
private final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let text: String

    init(_ text: String) { self.text = text }

    func channelActive(context: ChannelHandlerContext) {
        let bound = context.loopBound
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: "421 \(self.text)\r\n"))).assumeIsolated()
            .whenComplete { _ in bound.value.close(promise: nil) }
    }
}

extension IPAddress {
    /// The address of a socket, without its port; `nil` for a socket that has none.
    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        self.init(text)
    }
}
