import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Gives a request with too many header fields, or too large ones, the status that says so (RFC 6585 §5).
///
/// The server above answers every unreadable request with 400. Where the decoder's limits were the reason, this handler
/// turns that into 431.
final class HeaderOverflowHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var hasOverflowed = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error as? HTTPParserError == .headerOverflow { self.hasOverflowed = true }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard self.hasOverflowed, case .head(var head) = self.unwrapOutboundIn(data), head.status == .badRequest else {
            context.write(data, promise: promise)
            return
        }
        head.status = .requestHeaderFieldsTooLarge
        context.write(self.wrapOutboundOut(.head(head)), promise: promise)
    }
}
