import Admission
package import Logging
import MailModel
package import NIOCore
package import NIOPosix
import SMTPProtocol
package import ServiceSupport
import Telemetry

/// Takes SMTP connections at one address.
package struct SMTPListener: Sendable {
    package let settings: ListenerSettings
    private let environment: InboundEnvironment
    private let limiter: ConnectionLimiter
    /// The clients that are being served.
    private let clients: ChannelRegistry
    private let group: MultiThreadedEventLoopGroup
    private let logger: Logger

    package init(
        settings: ListenerSettings, environment: InboundEnvironment, limiter: ConnectionLimiter,
        clients: ChannelRegistry, group: MultiThreadedEventLoopGroup, logger: Logger
    ) {
        self.settings = settings
        self.environment = environment
        self.limiter = limiter
        self.clients = clients
        self.group = group
        self.logger = logger
    }

    /// Binds the address. Nothing is accepted until the channel reads by itself. Close it to take no more connections; those
    /// that are open go on.
    package func bind() async throws -> any Channel {
        var bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.autoRead, value: false)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Set on the listener, so that it counts from the handshake on.
            .serverChannelOption(.socketOption(.so_rcvbuf), value: .init(InboundConnection.receiveBuffer))
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A client that has ended its side still gets what it is owed.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // The handler asks for each read, and so decides how much of a client is in memory.
            .childChannelOption(.autoRead, value: false)
            // One read is what it gets, of at most two records of TLS. The buffers of more would stay with the channel.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: 32_768)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.initialise(channel) }
            }
        let address = self.settings.address
        if address.address.isIPv6 {
            let option = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.serverChannelOption(option, value: self.settings.isIPv6Only ? 1 : 0)
        }
        let channel = try await bootstrap.bind(host: "\(address.address)", port: Int(address.port)).get()
        self.logger.info("listening", metadata: ["listener": "\(self.settings.name)", "address": "\(address)"])
        return channel
    }

    private func initialise(_ channel: any Channel) throws {
        // A socket at `::` sees IPv4 clients in the mapped form; they are IPv4 clients everywhere else.
        let peer = channel.remoteAddress.flatMap { IPAddress($0)?.unmapped } ?? .v4(0)
        let (id, limiter) = (ObjectIdentifier(channel), self.limiter)
        let admission = limiter.open(id)
        channel.closeFuture.whenComplete { _ in limiter.closed(id) }
        guard admission == .admitted else { return try self.refuse(channel, peer, admission) }
        guard let proxies = self.settings.proxies else { return try self.serve(channel, client: peer) }
        guard proxies.networks.contains(where: { $0.contains(peer) }) else {
            self.environment.metrics.smtpdConnectionsTotal.increment(self.label, .refusedProxy)
            return channel.close(promise: nil)
        }
        let handler = ProxyHeaderHandler(within: proxies.headerTime) { header, context in
            do {
                switch header {
                case .local: try self.serve(context.channel, client: peer)
                case .proxied(let client, _): try self.serve(context.channel, client: client.unmapped)
                }
            } catch {
                context.close(promise: nil)
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// Serves a client whose address is known, if it has not too many connections.
    private func serve(_ channel: any Channel, client: IPAddress) throws {
        let admission = self.limiter.identify(ObjectIdentifier(channel), as: client, at: self.environment.time.now)
        guard admission == .admitted else { return try self.refuse(channel, client, admission) }
        let (label, metrics) = (self.label, self.environment.metrics)
        self.clients.add(channel)
        metrics.smtpdConnectionsTotal.increment(label, .accepted)
        metrics.smtpdConnections.add(label, 1)
        channel.closeFuture.whenComplete { _ in metrics.smtpdConnections.add(label, -1) }
        try channel.pipeline.syncOperations.addHandler(
            InboundConnection(environment: self.environment, client: client))
        // A drain that began meanwhile may have missed it.
        if self.limiter.isDraining { channel.pipeline.fireUserInboundEventTriggered(InboundConnection.Drain()) }
    }

    private func refuse(
        _ channel: any Channel, _ client: IPAddress, _ admission: ConnectionDecision
    ) throws {
        let metrics = self.environment.metrics
        guard case .refused(let refusal) = admission else {
            metrics.smtpdConnectionsTotal.increment(self.label, .refusedLimit)
            return channel.close(promise: nil)
        }
        metrics.smtpdConnectionsTotal.increment(self.label, refusal.label)
        self.environment.intake.log.refused(
            InboundLog.Refused(client: ClientIdentity(client)), refusal.label.rawValue, refusal.reply,
            at: self.environment.time.now)
        try channel.pipeline.syncOperations.addHandler(LingeringCloseHandler(refusing: refusal.reply))
    }

    private var label: ListenerLabel { ListenerLabel(self.settings.name) }
}

extension IPAddress {
    /// The address of a socket, without its port; `nil` for a socket that has none.
    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        self.init(text)
    }
}
