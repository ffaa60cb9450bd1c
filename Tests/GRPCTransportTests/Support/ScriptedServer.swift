import LabSupport
import NIOCore
import NIOPosix
import Synchronization

/// A server of HTTP/2 that takes connections on a Unix socket and answers each request with frames of the test's, byte by byte as they
/// are given. It counts what it took.
final class ScriptedServer: Sendable {
    let requests = Counter()
    private let listener = Mutex<(any Channel)?>(nil)

    /// Listens, and answers the stream with this number with what `answer` gives.
    ///
    /// - Parameter once: whether it takes no connection any more when the first request has come.
    static func listen(
        _ path: String, once: Bool, answer: @escaping @Sendable (Int32) -> [UInt8]
    ) async throws -> ScriptedServer {
        let server = ScriptedServer()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = ScriptedConnection(server.requests) { stream in
                        if once { server.close() }
                        return answer(stream)
                    }
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        server.listener.withLock { $0 = channel }
        return server
    }

    func close() { self.listener.withLock { $0 }?.close(promise: nil) }
}

private final class ScriptedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let requests: Counter
    private let answer: (Int32) -> [UInt8]
    private var received = ByteBuffer()
    private var seen = 0

    init(_ requests: Counter, _ answer: @escaping (Int32) -> [UInt8]) {
        self.requests = requests
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(bytes: Frame.bytes(4))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received.writeImmutableBuffer(Self.unwrapInboundIn(data))
        let frames = Frame.read(self.received)
        for frame in frames.dropFirst(self.seen) where frame.type == 1 {
            self.requests.value.add(1, ordering: .relaxed)
            context.writeAndFlush(
                Self.wrapOutboundOut(ByteBuffer(bytes: self.answer(frame.stream))), promise: nil)
        }
        self.seen = frames.count
    }
}
