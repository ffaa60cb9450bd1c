import NIOCore

/// Ends a connection of the telemetry server in time, whatever its client does. It stands before all other handlers.
///
/// A connection carries one request. From accept to the last byte of the answer there is one deadline, which an unread
/// answer does not stop. Once the request has come, what the client still sends is dropped unparsed. After the answer
/// our side is closed, and the client has a moment to read it. A close with bytes unread would reset the connection,
/// answer and all.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let limits: TelemetryLimits
    private let onAnswer: () -> Void
    private var received = 0
    private var hasRequest = false
    private var isEnding = false
    private var timer: Scheduled<Void>?

    /// - Parameter onAnswer: called when the answer is written.
    init(limits: TelemetryLimits, onAnswer: @escaping () -> Void) {
        self.limits = limits
        self.onAnswer = onAnswer
    }

    /// The head of the request is complete; nothing more that comes is of interest.
    func requestArrived() { self.hasRequest = true }

    func handlerAdded(context: ChannelHandlerContext) { self.arm(context, self.limits.request) }

    func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytes
        guard self.received <= self.limits.receivedBytes else { return context.close(promise: nil) }
        if !self.hasRequest, !self.isEnding { context.fireChannelRead(data) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        guard !self.isEnding else {
            promise?.succeed()
            return
        }
        self.isEnding = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        // Writes end in their order, so behind this one the answer is out. To close before would drop what is left of it where
        // the client has closed its side.
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            let (guardian, context) = bound.value
            guardian.onAnswer()
            guardian.arm(context, guardian.limits.lingering)
            context.close(mode: .output, promise: promise)
        }
    }

    private func arm(_ context: ChannelHandlerContext, _ time: TimeAmount) {
        self.timer?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }
}
