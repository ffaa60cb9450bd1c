import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A client that sends what a test says, reads or does not, and remembers what came.
struct RawClient {
    private let channel: any Channel
    private let text = TextBox()

    init(port: Int, isReading: Bool = true) async throws {
        let text = self.text
        self.channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: isReading)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.socketOption(.so_rcvbuf), value: 4096)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(text))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) { self.channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }

    /// Sends `text` again and again, ten times a second, while the connection is open.
    func trickle(_ text: String) {
        let channel = self.channel
        let task = channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(100)) { _ in
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
        channel.closeFuture.whenComplete { _ in task.cancel() }
    }

    func endSending() { self.channel.close(mode: .output, promise: nil) }

    /// Goes away at once, whatever is under way.
    func leave() { self.channel.close(promise: nil) }

    /// All that comes until the server ends its side or the connection; that must happen in time.
    func received(within time: Duration) async throws -> String {
        try? await self.channel.setOption(.autoRead, value: true).get()
        let deadline = ContinuousClock.now + time
        while !self.text.isComplete.withLock({ $0 }) {
            try #require(ContinuousClock.now < deadline, "the server does not end the connection")
            try await Task.sleep(for: .milliseconds(20))
        }
        try? await self.channel.close().get()
        return self.text.bytes.withLock { String(decoding: $0, as: UTF8.self) }
    }
}

private final class TextBox: Sendable {
    let bytes = Mutex<[UInt8]>([])
    let isComplete = Mutex(false)
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let text: TextBox

    init(_ text: TextBox) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        self.text.bytes.withLock { $0 += buffer.readableBytesView }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { self.text.isComplete.withLock { $0 = true } }
    }

    func channelInactive(context: ChannelHandlerContext) { self.text.isComplete.withLock { $0 = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
