import MailModel
import NIOCore
import SMTPProtocol
import TLSEngine
import Telemetry

/// One client connection: carries bytes to `SMTPServerSession` and does what it says.
///
/// Nothing is read while the session waits for its owner or while content waits to be staged, so the memory of a
/// connection is bounded by one read, one command line and two chunks of content, whatever SIZE allows. Nothing is read
/// either while the client does not take our replies, which bounds those.
final class InboundConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The node drains: end as soon as no message is under way.
    struct Drain {}

    let environment: InboundEnvironment
    let client: IPAddress
    var session: SMTPServerSession
    private var input = ByteBuffer()
    var replies: [UInt8] = []
    var content: [UInt8] = []
    var message: IncomingMessage?
    var copies = CopyCounter()
    /// What the client's certificate proved.
    var authenticatedClient: AuthenticatedClient?
    private var timer: DeadlineTimer?
    private var progress: ClientProgress
    private var hasGreeted = false
    /// When the connection is over, whatever it is used for.
    private var endOfLife = NIODeadline.distantFuture
    var isReading = false
    var isWaiting = false
    var isClosing = false
    private var isDraining = false
    var handshakeStart: NIODeadline?

    init(environment: InboundEnvironment, client: IPAddress) {
        self.environment = environment
        self.client = client
        self.session = SMTPServerSession(configuration: environment.sessionConfiguration)
        self.progress = ClientProgress(leastRate: environment.patience.leastDataRate)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        // The closure is called on this event loop only, and not after `handlerRemoved`.
        let bound = context.loopBound
        self.timer = DeadlineTimer(on: context.eventLoop) { [unowned self] in self.deadlinePassed(bound.value) }
        if context.channel.isActive { self.begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        self.begin(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isClosing = true
        self.timer?.cancel()
        self.dropMessage(.aborted)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        if self.input.readableBytes == 0 {
            self.input = bytes
        } else {
            self.input.writeBuffer(&bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        if !self.isWaiting { self.process(context) }
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isHeldUp = self.hasGreeted && !self.isWaiting && !self.isReading
        if context.channel.isWritable, isHeldUp { self.process(context) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSEvent.serverHandshake(let outcome): self.handshakeEnded(outcome, context)
        case TLSEvent.closedByPeer, TLSEvent.truncated: context.close(promise: nil)
        case is Drain:
            self.isDraining = true
            // Before the greeting there is nobody to tell: it brings the end with it.
            if !self.isWaiting, self.hasGreeted { self.process(context) }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What goes wrong below is the client's affair or the network's; the connection is of no more use.
        context.close(promise: nil)
    }

    // MARK: - The loop

    /// Listens for a while before the greeting: who talks first is no client of SMTP (hostile-input 5).
    private func begin(_ context: ChannelHandlerContext) {
        let patience = self.environment.patience
        self.endOfLife = context.eventLoop.now + TimeAmount(patience.sessionLifetime)
        guard patience.greetingDelay > .zero else { return self.greet(context) }
        self.timer?.arm(patience.greetingDelay)
        self.isReading = true
        context.read()
    }

    private func greet(_ context: ChannelHandlerContext) {
        guard !self.hasGreeted else { return }
        self.hasGreeted = true
        self.session.greet().serialise(into: &self.replies)
        self.process(context)
    }

    /// Steps the session until it needs input, waits for an answer, or is over.
    func process(_ context: ChannelHandlerContext) {
        while !self.isClosing {
            let wait = self.session.waitingFor
            let step = self.session.receive(self.input.readableBytesUInt8Span, content: &self.content)
            self.input.moveReaderIndex(forwardBy: step.consumed)
            self.progress.stepped(step, during: wait)
            if wait == .data { self.environment.metrics.smtpdReceivedBytes.increment(by: step.consumed) }
            guard self.perform(step.action, context) else { break }
        }
        // What was read is not kept: most connections wait most of the time.
        if self.input.readableBytes == 0 { self.input = ByteBuffer() }
        // Until the greeting the timer is that of its delay.
        if !self.isClosing, self.hasGreeted { self.armTimer(context) }
    }

    /// Does one action. `false` when the loop must stop: more bytes, an answer, or the end have to come first.
    func perform(_ action: SMTPServerAction, _ context: ChannelHandlerContext) -> Bool {
        switch action {
        case .reply(let reply):
            self.count(reply)
            reply.serialise(into: &self.replies)
            return true
        case .decideRecipient(let path, let envelope):
            return self.perform(self.decide(path, envelope, context), context)
        case .authenticate(let credentials): self.authenticate(credentials, context)
        case .beginMessage(let envelope, let reply):
            self.beginMessage(envelope, reply, context)
            return true
        case .discardMessage(let reply):
            self.dropMessage(reply)
            return self.perform(.reply(reply), context)
        case .discardMessageAndClose(let reply):
            self.dropMessage(reply)
            self.close(reply, context)
        case .needInput: self.needInput(context)
        case .waitForOwner: self.flush(context)
        case .close(let reply): self.close(reply, context)
        case .startTLS(let reply): self.startTLS(reply, context)
        case .messageEnded: self.store(context)
        }
        return false
    }

    private func needInput(_ context: ChannelHandlerContext) {
        self.flush(context)
        if self.isDraining, self.message == nil, !self.isWaiting {
            return self.finishDraining(context)
        }
        if self.stageContent(context) { return }
        // Who does not take replies is asked for no more commands; `channelWritabilityChanged` goes on.
        guard !self.isReading, context.channel.isWritable else { return }
        self.isReading = true
        context.read()
    }

    private func armTimer(_ context: ChannelHandlerContext) {
        let wait = self.isWaiting ? .owner : self.session.waitingFor
        switch self.progress.deadline(of: wait, limit: self.environment.timeouts.duration(of: wait)) {
        case .unchanged: ()
        case .move(let limit): self.timer?.arm(min(limit, Duration(self.endOfLife - context.eventLoop.now)))
        case .none: self.timer?.disarm()
        }
    }

    private func deadlinePassed(_ context: ChannelHandlerContext) {
        guard self.hasGreeted else { return self.greet(context) }
        // Whoever waits for us is not late.
        guard !self.isWaiting else {
            self.timer?.arm(self.environment.timeouts.dataBlock)
            return
        }
        self.environment.metrics.smtpdRejects.increment(.timeout)
        if let start = self.handshakeStart {
            // There is no channel to say anything on: the client expects TLS.
            self.environment.metrics.smtpdTLSHandshakes.increment(.timeout, .none, .full)
            self.environment.metrics.smtpdTLSHandshakeDuration.observe(Duration(context.eventLoop.now - start))
            self.isClosing = true
            context.close(promise: nil)
            return
        }
        _ = self.perform(self.session.shutDown("Timeout: closing the connection"), context)
    }

    private func finishDraining(_ context: ChannelHandlerContext) {
        _ = self.perform(self.session.shutDown("Service is shutting down, try again later"), context)
    }

    // MARK: - Writing

    func flush(_ context: ChannelHandlerContext) {
        guard !self.replies.isEmpty else { return }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.replies)), promise: nil)
        self.replies = []
    }

    private func close(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        self.isClosing = true
        self.timer?.disarm()
        self.count(reply)
        reply.serialise(into: &self.replies)
        let farewell = FarewellHandler(self.replies)
        self.replies = []
        do {
            try context.pipeline.syncOperations.addHandler(farewell, position: .before(self))
        } catch {
            context.close(promise: nil)
        }
    }

    private func count(_ reply: SMTPReply) {
        guard let reason = RejectReason(reply) else { return }
        self.environment.metrics.smtpdRejects.increment(reason)
    }
}

extension ChannelHandlerContext {
    /// The context for closures that NIO runs on this event loop.
    var loopBound: NIOLoopBound<ChannelHandlerContext> { NIOLoopBound(self, eventLoop: self.eventLoop) }
}
