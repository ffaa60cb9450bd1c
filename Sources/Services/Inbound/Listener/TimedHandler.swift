import NIOCore
import ServiceSupport

/// A handler that works from the moment its connection is open, whenever it is added, and closes it when its time is over.
protocol TimedHandler: ChannelInboundHandler {
    /// Made for `opened`, which arms it.
    var timer: DeadlineTimer? { get set }

    /// The connection is open. Said once.
    func opened(_ context: ChannelHandlerContext)
}

extension TimedHandler {
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

    private func begin(_ context: ChannelHandlerContext) {
        guard self.timer == nil else { return }
        let bound = context.loopBound
        // The closure is called on this event loop only, and not after `handlerRemoved`.
        self.timer = DeadlineTimer(on: context.eventLoop) { bound.value.close(promise: nil) }
        self.opened(context)
    }
}
