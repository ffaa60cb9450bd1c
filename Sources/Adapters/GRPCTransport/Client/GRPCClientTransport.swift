package import GRPCCore
package import NIOCore
import NIOPosix
import Synchronization
package import TLSEngine
package import TransportSecurity

/// A gRPC client on nghttp2 and TLSEngine. It keeps one connection to the first address that answers, and makes a new one when that
/// ends, with a growing wait between attempts that fail.
package final class GRPCClientTransport: ClientTransport {
    package typealias Bytes = [UInt8]

    /// How the connection is protected.
    package enum Security: Sendable {
        /// TLS that proves this of the server, asked for anew for each connection, on its event loop. The context must offer `h2`, and
        /// has the certificate that the client shows. Only dNSNames count as the server's names.
        case tls(@Sendable () throws -> (TLSClientContext, TLSRequirement))
        /// None: for Unix sockets.
        case none

        /// TLS with the same context and requirement for each connection.
        package static func tls(_ context: TLSClientContext, _ requirement: TLSRequirement) -> Self {
            .tls { (context, requirement) }
        }
    }

    package struct Configuration: Sendable {
        /// Tried in this order, each time anew.
        package var addresses: [TransportAddress]
        package var security: Security
        /// The server's name in requests.
        package var authority: String
        package var connection = ConnectionSettings()
        package var connectTime = TimeAmount.seconds(20)
        package var backoff = ReconnectBackoff()
        package var service = ServiceConfig()
        /// A value from 0 to 1, drawn for each wait.
        package var random: @Sendable () -> Double
        /// Hears of what happens to connections, on their event loops.
        package var observe: @Sendable (ConnectionEvent) -> Void = { _ in }

        package init(
            addresses: [TransportAddress], security: Security, authority: String,
            random: @escaping @Sendable () -> Double
        ) {
            self.addresses = addresses
            self.security = security
            self.authority = authority
            self.random = random
        }
    }

    package let retryThrottle: RetryThrottle?
    private let configuration: Configuration
    private let group: any EventLoopGroup
    private let state: Mutex<ClientState>
    /// No more connections are made.
    private let stopping = Once<Void>()
    /// What is open is cut off.
    private let cut = Once<Void>()

    package init(_ configuration: Configuration, group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
        self.state = Mutex(ClientState(keepalive: configuration.connection.keepalive))
        self.retryThrottle = configuration.service.retryThrottling.map { RetryThrottle(policy: $0) }
    }

    /// How the next connection is kept alive.
    var keepalive: KeepaliveLimits? { self.state.withLock { $0.keepalive } }

    // MARK: ClientTransport

    package func connect() async throws {
        try self.state.withLock { try $0.start() }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                var backoff = self.configuration.backoff
                var current: ClientConnection?
                while !self.stopping.isSet {
                    guard let connection = await self.attempt(&backoff, beside: current) else { continue }
                    // Its calls go on beside this one.
                    current?.drain()
                    current = connection
                    group.addTask { await connection.closed.get() }
                    let began = NIODeadline.now()
                    let ending = await connection.ending.get()
                    // A server that takes connections and ends them at once is as good as away.
                    if ending == .draining, NIODeadline.now() - began < self.configuration.backoff.first {
                        await self.pause(backoff.failed(random: self.configuration.random()))
                    } else {
                        backoff.succeeded()
                    }
                }
            }
        } onCancel: {
            self.cut.set(())
            self.beginGracefulShutdown()
        }
    }

    package func beginGracefulShutdown() {
        let (waiters, connection) = self.state.withLock { $0.stop() }
        for waiter in waiters { waiter.resume(throwing: ClientState.stopped) }
        connection?.drain()
        self.stopping.set(())
    }

    /// Makes a new connection, and drains the present one when that is up. So what `Security.tls` gives now counts from then on, and no
    /// call fails by it.
    package func reconnect() {
        self.state.withLock { $0.replace() }?.ending.set(.replaced)
    }

    package func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? {
        // The most exact name counts: the method, its service, all.
        let names = [
            MethodConfig.Name(service: descriptor.service.fullyQualifiedService, method: descriptor.method),
            MethodConfig.Name(service: descriptor.service.fullyQualifiedService, method: ""),
            MethodConfig.Name(service: "", method: ""),
        ]
        for name in names {
            if let found = self.configuration.service.methodConfig.first(where: { $0.names.contains(name) }) {
                return found
            }
        }
        return nil
    }

    package func withStream<T: Sendable>(
        descriptor: MethodDescriptor, options: CallOptions,
        _ closure: @concurrent (RPCStream<Inbound, Outbound>, ClientContext) async throws -> T
    ) async throws -> T {
        let connect = { @Sendable in try await self.connection(waitForReady: options.waitForReady ?? false) }
        let connection = try await connect()
        let call = ClientCall(
            descriptor, timeout: options.timeout, on: connection,
            // More would have to wait for room where it is written again.
            replayLimit: self.configuration.connection.unsentStreamBytes, connect: connect)
        defer { call.leave() }
        let stream = RPCStream(
            descriptor: descriptor, inbound: RPCAsyncSequence(wrapping: call),
            outbound: RPCWriter.Closable(wrapping: ClientCallWriter(call: call)))
        let peer = ConnectionPeer(connection.channel, security: nil)
        let context = ClientContext(descriptor: descriptor, remotePeer: peer.remote, localPeer: peer.local)
        return try await closure(stream, context)
    }

    /// The connection for a call, once there is one.
    private func connection(waitForReady: Bool) async throws -> ClientConnection {
        let (outcome, number) = self.state.withLock { ($0.lookup(waitForReady: waitForReady), $0.newWaiter()) }
        if case .now(let result) = outcome { return try result.get() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = self.state.withLock { state -> Result<ClientConnection, RPCError>? in
                    if Task.isCancelled { return .failure(Self.cancelled) }
                    if case .now(let result) = state.lookup(waitForReady: waitForReady) { return result }
                    state.add(number, continuation, waitForReady: waitForReady)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.removeWaiter(number) }?.resume(throwing: Self.cancelled)
        }
    }

    private static var cancelled: RPCError { RPCError(code: .cancelled, message: "the task was cancelled") }

    // MARK: Connecting

    /// Tries each address once; waits if all fail, no longer than the present connection takes calls.
    private func attempt(
        _ backoff: inout ReconnectBackoff, beside current: ClientConnection?
    ) async -> ClientConnection? {
        let replacements = self.state.withLock { $0.replacements }
        var failure = RPCError(code: .unavailable, message: "there is no address to connect to")
        for address in self.configuration.addresses where !self.stopping.isSet {
            switch await self.dial(address) {
            case .failure(let error): failure = error
            case .success(let connection):
                guard let waiters = self.state.withLock({ $0.connected(connection) }) else {
                    connection.channel.close(promise: nil)
                    return nil
                }
                for waiter in waiters { waiter.resume(returning: connection) }
                // At once, on its event loop: calls go to the next connection from then on.
                connection.draining.whenSet { _ in self.state.withLock { $0.disconnected(connection) } }
                // What it shows may be older than what was asked for meanwhile.
                if self.state.withLock({ $0.replacements }) != replacements { connection.ending.set(.replaced) }
                return connection
            }
        }
        let error = failure
        for waiter in self.state.withLock({ $0.failed(error) }) { waiter.resume(throwing: error) }
        await self.pause(backoff.failed(random: self.configuration.random()), beside: current)
        return nil
    }

    private func pause(_ time: TimeAmount, beside current: ClientConnection? = nil) async {
        let over = Once<Void>()
        let timer = self.group.next().scheduleTask(in: time) { over.set(()) }
        let watch = self.stopping.whenSet { over.set(()) }
        // Not one that is draining already: that would make no pause of this.
        let isServed = current?.draining.isSet == false
        let end = isServed ? current?.draining.whenSet { _ in over.set(()) } : nil
        await over.get()
        if let end { current?.draining.forget(end) }
        self.stopping.forget(watch)
        timer.cancel()
    }

    /// Connects to one address; a shutdown ends this at once.
    private func dial(_ address: TransportAddress) async -> Result<ClientConnection, RPCError> {
        let outcome = Once<Result<ClientConnection, RPCError>>()
        let watch = self.stopping.whenSet { outcome.set(.failure(ClientState.stopped)) }
        // A name may stand for several addresses, and so for several channels, of which one wins.
        let made = Made()
        let connected = self.open(address) { made.add($0) }
        connected.whenFailure { error in
            outcome.set(.failure(RPCError(code: .unavailable, message: "\(address): \(error)")))
        }
        connected.whenSuccess { channel in
            let watch = self.cut.whenSet { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in self.cut.forget(watch) }
            // Too late for whoever asked.
            outcome.whenSet { if case .failure = $0 { channel.close(promise: nil) } }
            guard let connection = made.of(channel) else { return }
            connection.ready.whenSet { outcome.set($0.map { connection }) }
        }
        let result = await outcome.get()
        self.stopping.forget(watch)
        return result
    }

    private func open(
        _ address: TransportAddress, made: @escaping @Sendable (ClientConnection) -> Void
    ) -> EventLoopFuture<any Channel> {
        var configuration = self.configuration
        configuration.connection.keepalive = self.keepalive
        configuration.observe = { event in
            if case .tooManyPings = event { self.state.withLock { $0.pingedTooOften() } }
            self.configuration.observe(event)
        }
        let settings = configuration
        let bootstrap = ClientBootstrap(group: self.group)
            .connectTimeout(configuration.connectTime)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { made(try ClientConnection(channel, settings)) }
            }
        switch address {
        case .host(let host, let port): return bootstrap.connect(host: host, port: port)
        case .unix(let path): return bootstrap.connect(unixDomainSocketPath: path)
        }
    }
}

/// The connections of an attempt.
private final class Made: Sendable {
    private let connections = Mutex<[ClientConnection]>([])

    func add(_ connection: ClientConnection) { self.connections.withLock { $0.append(connection) } }

    func of(_ channel: any Channel) -> ClientConnection? {
        self.connections.withLock { $0.first { $0.channel === channel } }
    }
}
