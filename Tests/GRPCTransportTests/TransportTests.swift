import Foundation
import GRPCCore
import LabSupport
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import GRPCTransport

/// Both transports on sockets: what grpc-swift asks of a transport (control 31), and how connections come and go.
@Suite("Transports", .timeLimit(.minutes(3)))
struct TransportTests {
    let world: InteropWorld
    init() throws { self.world = try InteropWorld() }

    private func plainServer(_ addresses: TransportAddress...) -> GRPCServerTransport.Configuration {
        GRPCServerTransport.Configuration(addresses: addresses, security: .none, random: { 0.5 })
    }

    private func plainClient(_ addresses: TransportAddress...) -> GRPCClientTransport.Configuration {
        var configuration = GRPCClientTransport.Configuration(
            addresses: addresses, security: .none, authority: "test", random: { 0.5 })
        configuration.backoff.first = .milliseconds(50)
        return configuration
    }

    private func transport(_ configuration: GRPCClientTransport.Configuration) -> GRPCClientTransport {
        GRPCClientTransport(configuration, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// Calls a method by the bare transport; gives the parts of the response.
    private func parts(
        _ transport: GRPCClientTransport, _ method: String = "EmptyCall", metadata: Metadata = [:],
        options: CallOptions = .defaults
    ) async throws -> [RPCResponsePart<[UInt8]>] {
        try await transport.withStream(descriptor: InteropService.method(method), options: options) { stream, _ in
            try await stream.outbound.write(.metadata(metadata))
            try await stream.outbound.write(.message([]))
            await stream.outbound.finish()
            var parts: [RPCResponsePart<[UInt8]>] = []
            for try await part in stream.inbound { parts.append(part) }
            return parts
        }
    }

    private func code(_ parts: [RPCResponsePart<[UInt8]>]) -> Status.Code? {
        if case .status(let status, _)? = parts.last { status.code } else { nil }
    }

    // MARK: The client's promises

    @Test("control 31: a stream before connect waits for it; the parts are metadata, message and status")
    func streamBeforeConnect() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let transport = self.transport(self.plainClient(.unix(path: path)))
            async let early = self.parts(transport)
            try await Task.sleep(for: .milliseconds(50))
            async let connected: Void = transport.connect()
            let parts = try await early
            #expect(
                parts == [
                    .metadata([:]), .message([]), .status(Status(code: .ok, message: ""), [:]),
                ])
            transport.beginGracefulShutdown()
            try await connected
        }
    }

    @Test("control 31: after a shutdown a stream is failedPrecondition, and so is a second connect")
    func streamAfterShutdown() async throws {
        let transport = self.transport(self.plainClient(.unix(path: self.world.newPath("nowhere"))))
        let waiting = Task { await self.outcome { try await self.parts(transport) } }
        try await Task.sleep(for: .milliseconds(20))
        transport.beginGracefulShutdown()
        #expect(await waiting.value == .failedPrecondition)
        #expect(await self.outcome { try await self.parts(transport) } == .failedPrecondition)
        #expect(await self.outcome { try await transport.connect() } == .failedPrecondition)
    }

    private func outcome(_ body: () async throws -> some Sendable) async -> RPCError.Code? {
        do {
            _ = try await body()
            return nil
        } catch { return (error as? RPCError)?.code }
    }

    @Test("control 31: without a server a call is UNAVAILABLE, and one that waits for a connection gets it")
    func unavailable() async throws {
        let path = self.world.newPath("socket")
        let transport = self.transport(self.plainClient(.unix(path: path)))
        async let connected: Void = transport.connect()
        #expect(await self.outcome { try await self.parts(transport) } == .unavailable)
        var options = CallOptions.defaults
        options.waitForReady = true
        let waiting = options
        let patient = Task { try await self.parts(transport, options: waiting) }
        try await Task.sleep(for: .milliseconds(100))
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let parts = try await patient.value
            #expect(self.code(parts) == .ok)
            transport.beginGracefulShutdown()
        }
        try await connected
    }

    @Test("control 31: a call that waits for a connection ends when its task is cancelled")
    func cancelledWait() async throws {
        let transport = self.transport(self.plainClient(.unix(path: self.world.newPath("nowhere"))))
        let task = Task { await self.outcome { try await self.parts(transport) } }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        #expect(await task.value == .cancelled)
    }

    @Test("control 31: connect returns when open calls have ended after a shutdown, and at once when cancelled")
    func endOfConnect() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let transport = self.transport(self.plainClient(.unix(path: path)))
            async let connected: Void = transport.connect()
            _ = try await self.parts(transport)
            async let open = self.parts(transport, "UnaryCall", metadata: ["x-sleep-ms": "300"])
            try await Task.sleep(for: .milliseconds(50))
            transport.beginGracefulShutdown()
            #expect(await self.outcome { try await self.parts(transport) } == .failedPrecondition)
            let parts = try await open
            #expect(self.code(parts) == .ok)
            try await connected
        }
    }

    @Test("control 31: a cancelled connect cuts calls off as UNAVAILABLE")
    func hardClose() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let transport = self.transport(self.plainClient(.unix(path: path)))
            let connected = Task { try await transport.connect() }
            _ = try await self.parts(transport)
            async let open = self.parts(transport, "UnaryCall", metadata: ["x-sleep-ms": "60000"])
            try await Task.sleep(for: .milliseconds(50))
            connected.cancel()
            try await connected.value
            let parts = try await open
            #expect(self.code(parts) == .unavailable)
        }
    }

    @Test("control 31: the first address that answers is used")
    func severalAddresses() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let dead = self.world.newPath("nowhere")
            try await withInteropClient(
                self.plainClient(.unix(path: dead), .host("127.0.0.1", port: 1), .unix(path: path))
            ) {
                client in try await InteropCases(client: client).emptyUnary()
            }
        }
    }

    @Test("control 22, 31: a client whose server goes away finds the next one")
    func reconnect() async throws {
        let path = self.world.newPath("socket")
        let transport = self.transport(self.plainClient(.unix(path: path)))
        async let connected: Void = transport.connect()
        var options = CallOptions.defaults
        options.waitForReady = true
        for _ in 0..<3 {
            try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
                let parts = try await self.parts(transport, options: options)
                #expect(self.code(parts) == .ok)
            }
        }
        transport.beginGracefulShutdown()
        try await connected
    }

    @Test("control 21: a deadline ends a call of the bare transport at both sides")
    func deadline() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let transport = self.transport(self.plainClient(.unix(path: path)))
            async let connected: Void = transport.connect()
            var options = CallOptions.defaults
            options.timeout = .milliseconds(100)
            let clock = ContinuousClock.now
            let parts = try await self.parts(
                transport, "UnaryCall", metadata: ["x-sleep-ms": "5000"], options: options)
            #expect(self.code(parts) == .deadlineExceeded)
            #expect(ContinuousClock.now - clock < .seconds(3))
            transport.beginGracefulShutdown()
            try await connected
        }
    }

    @Test("control 32: a caller's misuse of a stream is told by its status, and by the next write")
    func misuse() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let transport = self.transport(self.plainClient(.unix(path: path)))
            async let connected: Void = transport.connect()
            let method = InteropService.method("UnaryCall")
            let code = try await transport.withStream(descriptor: method, options: .defaults) { stream, _ in
                try await stream.outbound.write(.message([]))
                var parts: [RPCResponsePart<[UInt8]>] = []
                for try await part in stream.inbound { parts.append(part) }
                await #expect(throws: RPCError.self) { try await stream.outbound.write(.message([])) }
                return self.code(parts)
            }
            #expect(code == .internalError)
            transport.beginGracefulShutdown()
            try await connected
        }
    }

    // MARK: The server's promises

    @Test("control 22: a graceful shutdown lets open calls end and takes no new connection")
    func gracefulShutdown() async throws {
        let path = self.world.newPath("socket")
        let transport = GRPCServerTransport(
            self.plainServer(.unix(path: path)), group: MultiThreadedEventLoopGroup.singleton)
        let server = GRPCServer(transport: transport, services: [InteropService()])
        async let served: Void = server.serve()
        _ = await transport.listeningAddresses
        let client = self.transport(self.plainClient(.unix(path: path)))
        async let connected: Void = client.connect()
        _ = try await self.parts(client)
        async let open = self.parts(client, "UnaryCall", metadata: ["x-sleep-ms": "500"])
        try await Task.sleep(for: .milliseconds(100))
        server.beginGracefulShutdown()
        try await Task.sleep(for: .milliseconds(100))
        #expect(await self.outcome { try await self.parts(client) } == .unavailable)
        let parts = try await open
        #expect(self.code(parts) == .ok)
        try await served
        client.beginGracefulShutdown()
        try await connected
    }

    @Test("control 8, 22: a connection of its age is ended gracefully, and no call fails by it")
    func age() async throws {
        let path = self.world.newPath("socket")
        var configuration = self.plainServer(.unix(path: path))
        configuration.connection.maximumAge = .milliseconds(300)
        let drained = Counter()
        configuration.observe = { if case .closed = $0 { drained.value.add(1, ordering: .relaxed) } }
        try await withInteropServer(configuration) { _, _ in
            try await withInteropClient(self.plainClient(.unix(path: path))) { client in
                var options = CallOptions.defaults
                options.waitForReady = true
                let end = ContinuousClock.now + .seconds(2)
                while ContinuousClock.now < end {
                    let response = try await InteropCases(client: client).call("EmptyCall", [[]], options: options)
                    #expect(response.messages == [[]])
                }
            }
        }
        #expect(drained.value.load(ordering: .relaxed) > 3)
    }

    @Test("control 8: a client leaves a server that ends each connection at once for times that grow")
    func endedAtOnce() async throws {
        let path = self.world.newPath("socket")
        var configuration = self.plainServer(.unix(path: path))
        configuration.connection.maximumAge = .milliseconds(1)
        let ended = Counter()
        configuration.observe = { if case .closed = $0 { ended.value.add(1, ordering: .relaxed) } }
        try await withInteropServer(configuration) { _, _ in
            var client = self.plainClient(.unix(path: path))
            client.backoff.first = .milliseconds(200)
            try await withInteropClient(client) { _ in try await Task.sleep(for: .seconds(2)) }
        }
        // After 0.2, 0.32, 0.51 and 0.82 s.
        let count = ended.value.load(ordering: .relaxed)
        #expect(count > 1 && count < 8, "\(count)")
    }

    @Test("control 24, 29: a handler's writes wait for a client that does not read, and go on when it does")
    func backPressure() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path)), CountingService()) { service in
            try await withInteropClient(self.plainClient(.unix(path: path))) { client in
                try await client.serverStreaming(
                    request: ClientRequest(message: []), descriptor: CountingService.method, serializer: Bytes(),
                    deserializer: Bytes(), options: .defaults
                ) { response in
                    try await Task.sleep(for: .milliseconds(500))
                    let written = service.written.value.load(ordering: .relaxed)
                    // 16 KiB each: the client's window, what waits in the server, and the sockets' buffers.
                    #expect(written > 10 && written < 120, "\(written)")
                    try await Task.sleep(for: .milliseconds(200))
                    #expect(service.written.value.load(ordering: .relaxed) == written)
                    var count = 0
                    for try await _ in response.messages { count += 1 }
                    #expect(count == CountingService.messages)
                }
            }
        }
    }

    @Test("control 24, 29: a client's writes wait for a handler that does not read, and others are served meanwhile")
    func clientBackPressure() async throws {
        let path = self.world.newPath("socket")
        let written = Counter()
        try await withInteropServer(self.plainServer(.unix(path: path)), CountingService()) { _ in
            try await withInteropClient(self.plainClient(.unix(path: path))) { client in
                async let count = client.clientStreaming(
                    request: StreamingClientRequest { writer in
                        for _ in 0..<CountingService.messages {
                            try await writer.write([UInt8](repeating: 1, count: 16 * 1024))
                            written.value.add(1, ordering: .relaxed)
                        }
                    }, descriptor: CountingService.hold, serializer: Bytes(), deserializer: Bytes(),
                    options: .defaults
                ) { try $0.message }
                try await Task.sleep(for: .milliseconds(500))
                let before = written.value.load(ordering: .relaxed)
                #expect(before > 10 && before < 120, "\(before)")
                let other = try await client.unary(
                    request: ClientRequest(message: []), descriptor: CountingService.release, serializer: Bytes(),
                    deserializer: Bytes(), options: .defaults
                ) { try $0.message }
                #expect(other == [])
                let read = try await count
                #expect(read == InteropMessage.bytes(CountingService.messages))
            }
        }
    }

    @Test("control 23: a silent peer is asked, and closed when it does not answer")
    func keepalive() async throws {
        let path = self.world.newPath("socket")
        var configuration = self.plainServer(.unix(path: path))
        configuration.connection.keepalive = KeepaliveLimits(
            silence: .milliseconds(200), patience: .milliseconds(200), withoutCalls: true)
        try await withInteropServer(configuration) { _, _ in
            let peer = SilentPeer()
            let began = ContinuousClock.now
            let channel = try await peer.connect(path)
            try await channel.closeFuture.get()
            let lasted = ContinuousClock.now - began
            #expect(lasted > .milliseconds(390) && lasted < .seconds(3), "\(lasted)")
            #expect(peer.frames.contains { $0.type == 6 && $0.flags == 0 })
        }
    }

    @Test("control 23: a client that pings too often without calls is sent away with too_many_pings")
    func strikes() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { _, _ in
            let peer = SilentPeer()
            let channel = try await peer.connect(path)
            let pings = (0..<4).flatMap { _ in Frame.bytes(6, [UInt8](repeating: 0, count: 8)) }
            try await channel.writeAndFlush(ByteBuffer(bytes: pings))
            try await channel.closeFuture.get()
            let last = try #require(peer.frames.last { $0.type == 7 })
            #expect(last.payload[4..<8].elementsEqual([0, 0, 0, 11]))
            #expect(String(decoding: last.payload[8...], as: UTF8.self) == "too_many_pings")
        }
    }

    @Test(
        "control 22: a graceful end is GOAWAY(2³¹−1) and PING, and GOAWAY with the last stream at its acknowledgement")
    func gracefulFrames() async throws {
        let path = self.world.newPath("socket")
        try await withInteropServer(self.plainServer(.unix(path: path))) { server, _ in
            let peer = SilentPeer()
            let channel = try await peer.connect(path)
            try await peer.wait { $0.contains { $0.type == 4 && $0.flags == 1 } }
            server.beginGracefulShutdown()
            try await peer.wait { $0.contains { $0.type == 6 } }
            #expect(
                peer.frames.filter { $0.type == 7 }.map { Array($0.payload.prefix(8)) } == [
                    [127, 255, 255, 255, 0, 0, 0, 0]
                ])
            let ping = try #require(peer.frames.first { $0.type == 6 })
            try await channel.writeAndFlush(ByteBuffer(bytes: Frame.bytes(6, flags: 1, ping.payload)))
            try await channel.closeFuture.get()
            #expect(peer.frames.filter { $0.type == 7 }.map { Array($0.payload.prefix(4)) }.last == [0, 0, 0, 0])
        }
    }

    @Test("control 24: a peer that never begins is closed in time")
    func handshakeTime() async throws {
        let path = self.world.newPath("socket")
        var configuration = self.plainServer(.unix(path: path))
        configuration.connection.handshakeTime = .milliseconds(200)
        try await withInteropServer(configuration) { _, _ in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path).get()
            let began = ContinuousClock.now
            try await channel.closeFuture.get()
            #expect(ContinuousClock.now - began < .seconds(3))
        }
    }
}

/// Keeps what it reads and answers nothing.
final class SilentPeer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let received = Mutex(ByteBuffer())

    var frames: [(type: UInt8, flags: UInt8, stream: Int32, payload: [UInt8])] {
        Frame.read(self.received.withLock { $0 })
    }

    /// Connects, and sends the preface and settings.
    func connect(_ path: String) async throws -> any Channel {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(self) }
            }.connect(unixDomainSocketPath: path).get()
        let hello = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Frame.bytes(4)
        try await channel.writeAndFlush(ByteBuffer(bytes: hello))
        return channel
    }

    /// Waits until the frames that came are such.
    func wait(
        _ condition: ([(type: UInt8, flags: UInt8, stream: Int32, payload: [UInt8])]) -> Bool
    ) async throws {
        let end = ContinuousClock.now + .seconds(10)
        while !condition(self.frames) {
            guard ContinuousClock.now < end else { throw LabFailure("no such frames: \(self.frames)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Self.unwrapInboundIn(data)
        self.received.withLock { _ = $0.writeImmutableBuffer(bytes) }
    }
}

/// Sends many messages, and counts those whose writes have returned.
final class CountingService: RegistrableRPCService {
    static let method = MethodDescriptor(fullyQualifiedService: "relay.test.Counting", method: "Count")
    /// Reads nothing until `release` is called, and then all.
    static let hold = MethodDescriptor(fullyQualifiedService: "relay.test.Counting", method: "Hold")
    static let release = MethodDescriptor(fullyQualifiedService: "relay.test.Counting", method: "Release")
    static let messages = 500
    let written = Counter()
    private let released = Once<Void>()

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(forMethod: Self.hold, deserializer: Bytes(), serializer: Bytes()) { request, _ in
            StreamingServerResponse { writer in
                await self.released.get()
                var count = 0
                for try await _ in request.messages { count += 1 }
                try await writer.write(InteropMessage.bytes(count))
                return [:]
            }
        }
        router.registerHandler(forMethod: Self.release, deserializer: Bytes(), serializer: Bytes()) { _, _ in
            StreamingServerResponse { writer in
                self.released.set(())
                try await writer.write([])
                return [:]
            }
        }
        router.registerHandler(forMethod: Self.method, deserializer: Bytes(), serializer: Bytes()) { _, _ in
            StreamingServerResponse { writer in
                for _ in 0..<Self.messages {
                    try await writer.write([UInt8](repeating: 1, count: 16 * 1024))
                    self.written.value.add(1, ordering: .relaxed)
                }
                return [:]
            }
        }
    }
}

/// Runs our server with one service beside `body`.
private func withInteropServer<Service: RegistrableRPCService, Value: Sendable>(
    _ configuration: GRPCServerTransport.Configuration, _ service: Service, _ body: (Service) async throws -> Value
) async throws -> Value {
    let transport = GRPCServerTransport(configuration, group: MultiThreadedEventLoopGroup.singleton)
    return try await withGRPCServer(transport: transport, services: [service]) { _ in
        _ = await transport.listeningAddresses
        return try await body(service)
    }
}
