import MailModel
import NIOCore
import ServiceSupport
import TLSEngine

/// Says the last word on a connection, and closes it so that the client gets to read it.
///
/// A socket that is closed with bytes of the client's unread answers with a reset, which destroys the reply on its way.
/// So we close our sending side only, and read and drop what still comes. We stop when the client closes its own side
/// or a limit is reached. A client that sends a whole message before it reads gets to its end. Dropped bytes are never
/// kept, so what the limits bound is work. Handlers behind this one see none of those bytes.
final class LingeringCloseHandler: TimedHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long we stay. Beyond any of it the connection is closed, whatever the client does.
    struct Limits: Hashable, Sendable {
        /// From the last reply to the end of the connection.
        var time: Duration
        /// For a client that sends nothing.
        var silence: Duration
        /// Read and dropped.
        var bytes: Int

        /// For a client that was served. It covers what a fast client still sends when it reads our reply. It also
        /// covers much of what one sends that does not read before it is done.
        static let served = Self(time: .seconds(30), silence: .seconds(5), bytes: 64 << 20)
        /// For a client that is refused, and so has no reason to have sent much.
        static let refused = Self(time: .seconds(5), silence: .seconds(5), bytes: 256 << 10)
    }

    private let lastWords: [UInt8]
    private let limits: Limits
    private var dropped = 0
    private var hasClientEnded: Bool
    private var isSaid = false
    private var end = NIODeadline.distantFuture
    var timer: DeadlineTimer?

    /// - Parameters:
    ///   - lastWords: written and flushed as soon as the connection is open.
    ///   - clientHasEnded: the client has ended its side already; it may still read.
    init(_ lastWords: [UInt8], limits: Limits = .served, clientHasEnded: Bool = false) {
        self.lastWords = lastWords
        self.limits = limits
        self.hasClientEnded = clientHasEnded
    }

    /// One reply, and no more, to a client that is not served.
    convenience init(refusing reply: SMTPReply) {
        var bytes: [UInt8] = []
        reply.serialise(into: &bytes)
        self.init(bytes, limits: .refused)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.dropped += self.unwrapInboundIn(data).readableBytes
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard self.dropped <= self.limits.bytes else { return context.close(promise: nil) }
        self.armTimer(context)
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed, TLSEvent.closedByPeer, TLSEvent.truncated:
            self.hasClientEnded = true
            self.closeIfOver(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Both sides have said everything.
    private func closeIfOver(_ context: ChannelHandlerContext) {
        if self.hasClientEnded, self.isSaid { context.close(promise: nil) }
    }

    func opened(_ context: ChannelHandlerContext) {
        let bound = context.loopBound
        self.end = context.eventLoop.now + TimeAmount(self.limits.time)
        self.armTimer(context)
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.lastWords))).assumeIsolated()
            .whenComplete { _ in
                self.isSaid = true
                guard !self.hasClientEnded else { return self.closeIfOver(bound.value) }
                bound.value.close(mode: .output, promise: nil)
            }
        if !self.hasClientEnded { context.read() }
    }

    private func armTimer(_ context: ChannelHandlerContext) {
        // Who has ended its side is silent, and may be reading slowly.
        let silence = self.hasClientEnded ? self.limits.time : self.limits.silence
        self.timer?.arm(silence, notBeyond: self.end)
    }
}
