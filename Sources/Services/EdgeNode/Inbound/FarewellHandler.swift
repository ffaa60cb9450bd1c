import MailModel
import NIOCore

/// Says the last word on a connection, and closes it so that the client gets to read it.
///
/// A socket that is closed with bytes of the client's unread answers with a reset, which destroys the reply on its way.
/// So we end our side only, and read and drop what still comes, until the client ends its own side or a limit is
/// reached. Handlers behind this one see none of those bytes.
final class FarewellHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// From the last reply to the end of the connection, at most.
    static let time = Duration.seconds(5)
    /// Bytes read and dropped, at most.
    static let droppedBytes = 256 * 1024

    private let lastWords: [UInt8]
    private var dropped = 0
    private var timer: DeadlineTimer?

    /// - Parameter lastWords: written and flushed as soon as the connection is open.
    init(_ lastWords: [UInt8]) { self.lastWords = lastWords }

    /// One reply and no more.
    convenience init(_ reply: SMTPReply) {
        var bytes: [UInt8] = []
        reply.serialise(into: &bytes)
        self.init(bytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        self.begin(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.dropped += self.unwrapInboundIn(data).readableBytes
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard self.dropped <= Self.droppedBytes else { return context.close(promise: nil) }
        context.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func begin(_ context: ChannelHandlerContext) {
        guard self.timer == nil else { return }
        let bound = context.loopBound
        // The closure is called on this event loop only, and not after `handlerRemoved`.
        let timer = DeadlineTimer(on: context.eventLoop) { bound.value.close(promise: nil) }
        timer.arm(Self.time)
        self.timer = timer
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.lastWords))).assumeIsolated()
            .whenComplete { _ in bound.value.close(mode: .output, promise: nil) }
        context.read()
    }
}
