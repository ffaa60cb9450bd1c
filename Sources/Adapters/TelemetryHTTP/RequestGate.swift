import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Lets one request without a body through to the server, and refuses a body at once (RFC 9110 §15.5.14).
///
/// Nothing that the telemetry server serves takes a body, so waiting for one serves nobody. The answer closes the connection
/// (RFC 9112 §9.6), and further requests on it are dropped.
final class RequestGate: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        case awaitingHead, awaitingEnd, finished
    }

    private var state = State.awaitingHead

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (self.state, self.unwrapInboundIn(data)) {
        case (.awaitingHead, .head(var head)):
            self.requestArrived(context)
            guard !Self.hasBody(head) else {
                self.state = .finished
                return self.refuse(context)
            }
            self.state = .awaitingEnd
            // The server above then ends with the answer.
            head.headerFields[.connection] = "close"
            context.fireChannelRead(self.wrapInboundOut(.head(head)))
        case (.awaitingEnd, .end):
            self.state = .finished
            context.fireChannelRead(data)
        case (.awaitingHead, .body), (.awaitingHead, .end), (.awaitingEnd, _), (.finished, _): ()
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = self.unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        head.headerFields[.connection] = "close"
        context.write(self.wrapOutboundOut(.head(head)), promise: promise)
    }

    private func requestArrived(_ context: ChannelHandlerContext) {
        try? context.pipeline.syncOperations.handler(type: ConnectionGuard.self).requestArrived()
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let head = HTTPResponse(status: .contentTooLarge, headerFields: [.connection: "close", .contentLength: "0"])
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    /// Whether a body is announced (RFC 9112 §6).
    private static func hasBody(_ head: HTTPRequest) -> Bool {
        head.headerFields[.transferEncoding] != nil || (head.headerFields[.contentLength] ?? "0") != "0"
    }
}
