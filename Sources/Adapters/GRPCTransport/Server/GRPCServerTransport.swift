package import GRPCCore
package import NIOCore
import NIOPosix
import Synchronization
package import TLSEngine

/// A gRPC server on nghttp2 and TLSEngine: TLS 1.3 with ALPN `h2`, or none on a Unix socket.
///
/// `listen` runs until a graceful shutdown has ended all connections, or its task is cancelled, which cuts them off. Handlers find what
/// the client's certificate proved in `ServerContext.transportSpecific`, as `ConnectionPeer`.
package final class GRPCServerTransport: ServerTransport {
    package typealias Bytes = [UInt8]

    /// How connections are protected.
    package enum Security: Sendable {
        /// TLS, with these certificates. The store must offer `h2`; the clients that it recognises are told to handlers.
        case tls(ServerCertificateStore)
        /// None: for Unix sockets, whose files say who may connect.
        case none
    }

    package struct Configuration: Sendable {
        package var addresses: [TransportAddress]
        package var security: Security
        package var connection: ConnectionSettings
        package var limits = ConnectionLimits()
        /// A value from 0 to 1, drawn for each connection.
        package var random: @Sendable () -> Double
        /// Hears of what happens to connections, on their event loops.
        package var observe: @Sendable (ConnectionEvent) -> Void = { _ in }

        package init(
            addresses: [TransportAddress], security: Security, random: @escaping @Sendable () -> Double
        ) {
            self.addresses = addresses
            self.security = security
            self.random = random
            self.connection = ConnectionSettings()
            self.connection.keepalive = .server
        }
    }

    private let configuration: Configuration
    private let group: any EventLoopGroup
    private let state: Mutex<ServerState>
    private let bound = Once<[SocketAddress]>()

    package init(_ configuration: Configuration, group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
        self.state = Mutex(ServerState(configuration.limits, at: .now()))
    }

    /// Where it listens, once it does; empty when it never will.
    package var listeningAddresses: [SocketAddress] {
        get async { await self.bound.get() }
    }

    // MARK: ServerTransport

    package func listen(
        streamHandler: @escaping @concurrent @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
    ) async throws {
        // Bounded by the connections and by the streams of each.
        let (calls, continuation) = AsyncStream.makeStream(of: AcceptedCall.self)
        try self.state.withLock { try $0.start(continuation) }
        do {
            try await self.bind()
        } catch {
            self.stop()
            self.bound.set([])
            throw error
        }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for await call in calls {
                    group.addTask { await Self.handle(call, streamHandler) }
                }
            }
        } onCancel: {
            self.stop()
        }
    }

    package func beginGracefulShutdown() {
        let (listeners, connections) = self.state.withLock { $0.drain() }
        for listener in listeners { listener.close(promise: nil) }
        for connection in connections { connection.drain() }
        self.bound.set([])
    }

    private func stop() {
        for channel in self.state.withLock({ $0.stop() }) { channel.close(promise: nil) }
    }

    // MARK: Calls

    private static func handle(
        _ call: AcceptedCall,
        _ streamHandler: @concurrent @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
    ) async {
        let stream = RPCStream(
            descriptor: call.method, inbound: RPCAsyncSequence(wrapping: call.inbound),
            outbound: RPCWriter.Closable(wrapping: StreamWriter(mailbox: call.mailbox, key: call.key)))
        await withServerContextRPCCancellationHandle { handle in
            call.cancellation.attach(handle)
            var context = ServerContext(
                descriptor: call.method, remotePeer: call.peer.remote, localPeer: call.peer.local,
                cancellation: handle)
            context.transportSpecific = call.peer
            await streamHandler(stream, context)
        }
        call.inbound.discard()
        call.mailbox.post(.leave(call.key))
    }

    // MARK: Connections

    private func bind() async throws {
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
        for address in self.configuration.addresses {
            let listener: any Channel
            switch address {
            case .host(let host, let port): listener = try await bootstrap.bind(host: host, port: port).get()
            case .unix(let path):
                listener = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            }
            if !self.state.withLock({ $0.add(listener) }) { listener.close(promise: nil) }
        }
        self.bound.set(self.state.withLock { $0.listeners.compactMap(\.localAddress) })
    }

    /// A connection that is closed at once.
    private struct Refused: Error {}

    private func accept(_ channel: any Channel) throws {
        let box = NIOLoopBoundBox<HTTP2Handler<ServerStreams>?>(nil, eventLoop: channel.eventLoop)
        let connection = ServerState.Connection(channel: channel) {
            channel.eventLoop.execute { box.value?.beginDrain("the server is shutting down") }
        }
        let admission = self.state.withLock { $0.admit(connection, at: channel.eventLoop.now) }
        switch admission {
        case .serve(let number, let calls):
            self.forgetWhenClosed(channel, number)
            try self.serve(
                channel, box, .handled { calls.yield($0) }, self.servingSettings(), self.configuration.observe)
        case .refuse(let number, let reason):
            self.forgetWhenClosed(channel, number)
            self.configuration.observe(.refused(reason))
            try self.refuse(channel, box, reason)
        case .close(let reason):
            self.configuration.observe(.refused(reason))
            throw Refused()
        case .late: throw Refused()
        }
    }

    private func forgetWhenClosed(_ channel: any Channel, _ number: UInt64) {
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { $0.remove(number) }
        }
    }

    private func servingSettings() -> ConnectionSettings {
        var settings = self.configuration.connection
        settings.maximumAge = settings.maximumAge.map {
            .nanoseconds(Int64(Double($0.nanoseconds) * (0.9 + 0.2 * self.configuration.random())))
        }
        return settings
    }

    /// Answers calls with RESOURCE_EXHAUSTED for a while, and ends the connection when it has answered some.
    private func refuse(
        _ channel: any Channel, _ box: NIOLoopBoundBox<HTTP2Handler<ServerStreams>?>, _ reason: ConnectionRefusal
    ) throws {
        let limits = self.configuration.limits
        let delay = limits.delay(random: self.configuration.random()).nanoseconds / 1_000_000
        let answer = ResponseHead.trailersOnly(
            Status(code: .resourceExhausted, message: "\(reason.text): try again in \(delay) ms"),
            ["grpc-retry-pushback-ms": "\(delay)"])
        var settings = self.configuration.connection
        settings.handshakeTime = min(settings.handshakeTime, limits.refusedTime)
        settings.maximumAge = limits.refusedTime
        settings.grace = min(settings.grace, limits.refusedTime)
        settings.keepalive = nil
        let observe = self.configuration.observe
        try self.serve(channel, box, .refused(answer), settings) { event in
            switch event {
            case .abuse, .failed: observe(event)
            case .opened, .refused, .ready, .draining, .tooManyPings, .closed: ()
            }
        }
    }

    private func serve(
        _ channel: any Channel, _ box: NIOLoopBoundBox<HTTP2Handler<ServerStreams>?>, _ calls: ServerStreams.Calls,
        _ settings: ConnectionSettings, _ observe: @escaping @Sendable (ConnectionEvent) -> Void
    ) throws {
        let mailbox = StreamMailbox<ResponsePart>(settings.mailboxLimits, size: { $0.bytes }) { _ in
            channel.eventLoop.execute { box.value?.wake() }
        }
        let streams = ServerStreams(channel.eventLoop, mailbox, calls) {
            channel.eventLoop.execute { box.value?.beginDrain("the connection is beyond a limit") }
        }
        let isSecure = if case .tls = self.configuration.security { true } else { false }
        let handler = HTTP2Handler(.server, settings, isSecure: isSecure, streams: streams) { event in
            if case .closed = event { box.value = nil }
            observe(event)
        }
        streams.wake = { [weak handler] in handler?.pump() }
        if case .tls(let store) = self.configuration.security {
            try channel.pipeline.syncOperations.addHandler(TLSHandler.server(store))
        }
        try channel.pipeline.syncOperations.addHandler(handler)
        box.value = handler
    }
}

extension ConnectionPeer: ServerContext.TransportSpecific {}
