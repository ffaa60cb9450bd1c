import LabSupport
import NIOCore
import NIOPosix
import OperatingSystem
import Synchronization
import TLSEngine
import TransportSecurity

/// Many clients that begin TLS, say EHLO, and then do nothing, or next to nothing. Some send one byte now and then of a
/// command that never ends.
///
/// They come from several addresses of loopback, since one address has too few ports for so many.
public final class IdleFleet: Sendable {
    /// What the fleet does.
    public struct Plan: Sendable {
        /// The server, on 127.0.0.1.
        public var port: UInt16
        /// Clients that say nothing more.
        public var idle: Int
        /// Clients that go on byte by byte.
        public var slow: Int
        /// The time between two bytes of a slow client.
        public var pause = Duration.seconds(9)
        /// Clients from one address.
        public var perAddress = 1000
        /// Connections that are being opened at once.
        public var opening = 100
        /// For one connection, from the first packet to the reply to the second EHLO.
        public var patience = Duration.seconds(60)

        /// A fleet of so many.
        public init(port: UInt16, idle: Int, slow: Int) {
            self.port = port
            self.idle = idle
            self.slow = slow
        }
    }

    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let plan: Plan
    private let tls: TLSClientContext

    private init(_ plan: Plan, _ tls: TLSClientContext) {
        self.plan = plan
        self.tls = tls
    }

    /// Opens all connections, for which this process takes all descriptors that it may have; fails if one is refused.
    public static func open(_ plan: Plan) async throws -> IdleFleet {
        _ = FileDescriptorLimit.raise()
        let fleet = IdleFleet(plan, try TLSClientContext())
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 0..<(plan.idle + plan.slow) {
                    if number >= plan.opening { try await tasks.next() }
                    tasks.addTask { try await fleet.connect(number) }
                }
                try await tasks.waitForAll()
            }
        } catch {
            await fleet.close()
            throw error
        }
        return fleet
    }

    /// How many of the connections are still open.
    public var count: Int { self.channels.withLock { $0.count } }

    /// Closes all of them.
    public func close() async {
        for channel in self.channels.withLock({ Array($0.values) }) { try? await channel.close() }
    }

    private func connect(_ number: Int) async throws {
        let pause = number < self.plan.slow ? self.plan.pause : nil
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let ready = loop.makePromise(of: Void.self)
        let host = 2 + number / self.plan.perAddress
        do {
            let channel = try await ClientBootstrap(group: loop)
                .bind(to: SocketAddress(ipAddress: "127.0.\(host / 250).\(host % 250)", port: 0))
                .connectTimeout(.seconds(30))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            IdleClientHandler(self.tls, pause: pause, ready: ready))
                    }
                }
                .connect(host: "127.0.0.1", port: Int(self.plan.port)).get()
            self.keep(channel)
        } catch {
            ready.fail(error)
        }
        let deadline = loop.scheduleTask(in: TimeAmount(self.plan.patience)) {
            ready.fail(LabFailure("client \(number): no end of the handshake within \(self.plan.patience)"))
        }
        defer { deadline.cancel() }
        try await ready.futureResult.get()
    }

    private func keep(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        self.channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in _ = self.channels.withLock { $0.removeValue(forKey: id) } }
    }
}

/// One client: greeting, EHLO, STARTTLS, EHLO, and then nothing, or a byte now and then.
private final class IdleClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let tls: TLSClientContext
    private let pause: Duration?
    private let ready: EventLoopPromise<Void>
    /// What is said next, at the end of each reply.
    private var script = ["EHLO idle.test\r\n", "STARTTLS\r\n"][...]
    private var isSecured = false
    private var replies = ReplyReader()
    private var bytes: RepeatedTask?

    init(_ tls: TLSClientContext, pause: Duration?, ready: EventLoopPromise<Void>) {
        self.tls = tls
        self.pause = pause
        self.ready = ready
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.replies.append(self.unwrapInboundIn(data))
        do {
            while let reply = try self.replies.next() { self.received(reply, context) }
        } catch {
            self.fail(error, context)
        }
    }

    private func received(_ reply: SMTPDialog.Reply, _ context: ChannelHandlerContext) {
        guard reply.isPositive else { return self.fail(LabFailure("the server said \(reply)"), context) }
        if let line = self.script.popFirst() {
            self.send(line, context)
        } else if self.isSecured {
            self.settle(context)
        } else {
            self.secure(context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .clientHandshake(.failed(let failure, _)): self.fail(failure, context)
        case .clientHandshake: self.send("EHLO idle.test\r\n", context)
        case .closedByPeer: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.bytes?.cancel()
        self.ready.fail(LabFailure("the server closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.fail(error, context) }

    private func secure(_ context: ChannelHandlerContext) {
        self.isSecured = true
        do {
            let handler = try TLSHandler.client(self.tls, .mustEncrypt)
            try context.pipeline.syncOperations.addHandler(handler, position: .first)
        } catch {
            self.fail(error, context)
        }
    }

    private func settle(_ context: ChannelHandlerContext) {
        self.ready.succeed()
        guard let pause else { return }
        let amount = TimeAmount(pause)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        self.bytes = context.eventLoop.scheduleRepeatedTask(initialDelay: amount, delay: amount) { _ in
            bound.value.send("x", boundContext.value)
        }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        self.ready.fail(error)
        context.close(promise: nil)
    }

    private func send(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}
