import MailModel
import NIOCore
import SMTPProtocol
import ServiceSupport

/// Stands in front of a connection that comes through a proxy: reads who the client is, hands that on, and goes.
///
/// Whatever is wrong closes the connection without a word (hostile-input 16): the other end is no client.
final class ProxyHeaderHandler: TimedHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: Duration
    private let identified: (ProxyProtocolHeader, ChannelHandlerContext) -> Void
    private var input = ByteBuffer()
    var timer: DeadlineTimer?

    /// - Parameters:
    ///   - limit: for the whole header.
    ///   - identified: adds the handlers of the connection at the pipeline's end; they get the bytes behind the header.
    init(within limit: Duration, _ identified: @escaping (ProxyProtocolHeader, ChannelHandlerContext) -> Void) {
        self.limit = limit
        self.identified = identified
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.input.writeBuffer(&bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch ProxyProtocolHeader.read(self.input.readableBytesUInt8Span) {
        case .needInput: context.read()
        case .refused: context.close(promise: nil)
        case .header(let header, let length):
            self.input.moveReaderIndex(forwardBy: length)
            self.finish(header, context)
        }
    }

    /// A header that has not come by now does not come.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func opened(_ context: ChannelHandlerContext) {
        self.timer?.arm(self.limit)
        context.read()
    }

    private func finish(_ header: ProxyProtocolHeader, _ context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.identified(header, context)
        if self.input.readableBytes > 0 {
            context.fireChannelRead(self.wrapInboundOut(self.input))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
