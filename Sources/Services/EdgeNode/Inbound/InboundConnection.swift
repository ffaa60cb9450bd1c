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

    /// How long a client may take to read the last reply.
    static let closingTime = Duration.seconds(10)

    private let environment: InboundEnvironment
    private let client: IPAddress
    private var session: SMTPServerSession
    private var input = ByteBuffer()
    private var replies: [UInt8] = []
    private var content: [UInt8] = []
    private var message: IncomingMessage?
    private var timer: DeadlineTimer?
    private var progress = ClientProgress()
    private var hasGreeted = false
    private var isReading = false
    private var isWaiting = false
    private var isClosing = false
    private var isDraining = false
    private var handshakeStart: NIODeadline?

    init(environment: InboundEnvironment, client: IPAddress) {
        self.environment = environment
        self.client = client
        self.session = SMTPServerSession(configuration: environment.session)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        // The closure is called on this event loop only, and not after `handlerRemoved`.
        let bound = context.loopBound
        self.timer = DeadlineTimer(on: context.eventLoop) { [unowned self] in self.deadlinePassed(bound.value) }
        if context.channel.isActive { self.greet(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        self.greet(context)
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

    private func greet(_ context: ChannelHandlerContext) {
        guard !self.hasGreeted else { return }
        self.hasGreeted = true
        self.session.greet().serialise(into: &self.replies)
        self.process(context)
    }

    /// Steps the session until it needs input, waits for an answer, or is over.
    private func process(_ context: ChannelHandlerContext) {
        while !self.isClosing {
            let wait = self.session.waitingFor
            let step = self.session.receive(self.input.readableBytesUInt8Span, content: &self.content)
            self.input.moveReaderIndex(forwardBy: step.consumed)
            self.progress.stepped(step, during: wait)
            if wait == .data { self.environment.metrics.smtpdReceivedBytes.increment(by: step.consumed) }
            guard self.perform(step.action, context) else { break }
        }
        if !self.isClosing { self.armTimer() }
    }

    /// Does one action. `false` when the loop must stop: more bytes, an answer, or the end have to come first.
    private func perform(_ action: SMTPServerAction, _ context: ChannelHandlerContext) -> Bool {
        switch action {
        case .reply(let reply):
            self.count(reply)
            reply.serialise(into: &self.replies)
            return true
        case .decideRecipient(let path, _):
            return self.perform(self.decide(path), context)
        case .beginData(let envelope, let reply):
            self.beginData(envelope, reply, context)
            return true
        case .discardMessage(let reply):
            self.dropMessage(.rejected)
            return self.perform(.reply(reply), context)
        case .discardMessageAndClose(let reply):
            self.dropMessage(.rejected)
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

    private func armTimer() {
        let wait = self.isWaiting ? .owner : self.session.waitingFor
        switch self.progress.deadline(of: wait, limit: self.environment.timeouts.duration(of: wait)) {
        case .unchanged: ()
        case .move(let limit): self.timer?.arm(limit)
        case .none: self.timer?.disarm()
        }
    }

    private func deadlinePassed(_ context: ChannelHandlerContext) {
        // The last reply was not taken in time.
        guard !self.isClosing else { return context.close(promise: nil) }
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

    private func flush(_ context: ChannelHandlerContext) {
        guard !self.replies.isEmpty else { return }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.replies)), promise: nil)
        self.replies.removeAll(keepingCapacity: true)
    }

    private func close(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        self.isClosing = true
        self.timer?.arm(Self.closingTime)
        self.count(reply)
        reply.serialise(into: &self.replies)
        let bytes = ByteBuffer(bytes: self.replies)
        self.replies = []
        let bound = context.loopBound
        context.writeAndFlush(self.wrapOutboundOut(bytes)).assumeIsolated().whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }

    private func count(_ reply: SMTPReply) {
        guard let reason = RejectReason(reply) else { return }
        self.environment.metrics.smtpdRejects.increment(reason)
    }

    // MARK: - TLS

    private func startTLS(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        guard let certificates = self.environment.certificates else { return context.close(promise: nil) }
        reply.serialise(into: &self.replies)
        self.flush(context)
        do {
            let handler = try TLSHandler.server(certificates)
            try context.pipeline.syncOperations.addHandler(handler, position: .before(self))
        } catch {
            self.isClosing = true
            return context.close(promise: nil)
        }
        self.handshakeStart = context.eventLoop.now
        // The TLS handler reads for itself now; this handler is fed again once the handshake is done.
        context.read()
    }

    private func handshakeEnded(_ outcome: TLSServerOutcome, _ context: ChannelHandlerContext) {
        if let start = self.handshakeStart {
            self.environment.metrics.smtpdTLSHandshakeDuration.observe(Duration(context.eventLoop.now - start))
        }
        self.handshakeStart = nil
        // The reads of the handshake were TLS's own.
        self.isReading = false
        switch outcome {
        case .encrypted(let info):
            self.environment.metrics.smtpdTLSHandshakes.increment(
                .success, TLSVersionLabel(info.version), info.resumed ? .resumed : .full)
            self.session.tlsEstablished(TLSInfo(version: info.version, cipher: info.cipher))
            self.process(context)
        case .failed:
            self.environment.metrics.smtpdTLSHandshakes.increment(.failure, .none, .full)
            self.isClosing = true
        }
    }

    // MARK: - Messages

    private func decide(_ path: ForwardPath) -> SMTPServerAction {
        switch self.environment.policy.admit(path, from: self.client) {
        case .success: self.session.recipientDecided(.accept)
        case .failure(let refusal): self.session.recipientDecided(.refuse(refusal.reply))
        }
    }

    private func beginData(_ envelope: Envelope, _ reply: SMTPReply, _ context: ChannelHandlerContext) {
        let recipients = envelope.recipients.compactMap {
            try? self.environment.policy.admit($0, from: self.client).get()
        }
        self.message = IncomingMessage(
            envelope: envelope, recipients: recipients, client: self.client, tls: self.session.tls,
            environment: self.environment)
        reply.serialise(into: &self.replies)
        self.flush(context)
    }

    /// Hands a full chunk of content on. `true` when reading must wait for it.
    private func stageContent(_ context: ChannelHandlerContext) -> Bool {
        guard let message = self.message else { return false }
        let isFull = message.append(&self.content)
        guard isFull else { return false }
        self.isWaiting = true
        let bound = context.loopBound
        message.stage(on: context.eventLoop) { refusal in
            self.isWaiting = false
            if let refusal { self.session.refuseRestOfMessage(refusal) }
            if !self.isClosing { self.process(bound.value) }
        }
        return true
    }

    private func store(_ context: ChannelHandlerContext) {
        self.flush(context)
        guard let message = self.message else { return context.close(promise: nil) }
        self.message = nil
        _ = message.append(&self.content)
        self.isWaiting = true
        let bound = context.loopBound
        message.store(on: context.eventLoop) { reply in
            self.isWaiting = false
            guard !self.isClosing else { return }
            if self.perform(self.session.messageStored(reply), bound.value) { self.process(bound.value) }
        }
    }

    private func dropMessage(_ result: InboundMessageResult) {
        self.content.removeAll()
        guard let message = self.message else { return }
        self.message = nil
        self.environment.metrics.smtpdMessages.increment(result)
        message.abandon()
    }
}

extension ChannelHandlerContext {
    /// The context for closures that NIO runs on this event loop.
    var loopBound: NIOLoopBound<ChannelHandlerContext> { NIOLoopBound(self, eventLoop: self.eventLoop) }
}
