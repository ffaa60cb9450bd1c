import Admission
import MailModel
import NIOCore
import NodeState
import QueueStore
import SMTPProtocol
import ServiceSupport
import TLSEngine
import Telemetry

/// One client connection: carries bytes to `SMTPServerSession` and does what it says.
///
/// Nothing is read while the session waits for its owner or while content waits to be staged. So the memory of a
/// connection is bounded by one read, one command line and two chunks of content, whatever SIZE allows. Nothing is read
/// either while the client does not take our replies, which bounds those.
///
/// A client may end its side once it has said everything (RFC 9293 §3.6): what it said is answered, and then we close.
/// NIO reads a socket to its end as soon as the client has closed its sending side. So that much is taken whatever the
/// session waits for.
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
    /// The recipient that is being decided about, for the log of its refusal.
    var recipientInQuestion: ForwardPath?
    /// The sender of a message that the session has forgotten, while its refusal is logged.
    var formerSender: String?
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
    /// The client has ended its side: nothing more comes, and what came is still answered.
    private var hasInputEnded = false
    var handshakeStart: NIODeadline?

    init(environment: InboundEnvironment, client: IPAddress) {
        self.environment = environment
        self.client = client
        self.session = SMTPServerSession(configuration: environment.session)
        self.session.offersDSN = environment.state.current.policy.mayRelay(ClientIdentity(client))
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
        guard self.input.readableBytes + bytes.readableBytes <= Self.mostInput else {
            return context.close(promise: nil)
        }
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
        case ChannelEvent.inputClosed, TLSEvent.closedByPeer, TLSEvent.truncated: self.inputEnded(context)
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

    /// The client sends no more. It may still read: whatever it has asked for is answered before the connection ends.
    private func inputEnded(_ context: ChannelHandlerContext) {
        guard !self.hasInputEnded, !self.isClosing else { return }
        self.hasInputEnded = true
        // Before the greeting, and within a handshake, nothing is owed.
        guard self.hasGreeted, self.handshakeStart == nil else {
            self.isClosing = true
            return context.close(promise: nil)
        }
        self.endOfLife = min(
            self.endOfLife, context.eventLoop.now + TimeAmount(self.environment.patience.halfClosedTime))
        if self.isWaiting {
            self.timer?.arm(self.environment.timeouts.dataBlock, notBeyond: self.endOfLife)
        } else if context.channel.isWritable {
            self.process(context)
        }
    }

    /// Steps the session until it needs input, waits for an answer, or is over.
    func process(_ context: ChannelHandlerContext) {
        while !self.isClosing, self.mayReplyMore(context) {
            let wait = self.session.waitingFor
            if wait == .command { self.offer() }
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

    /// What EHLO offers, and which commands there are, is as the node's state has it when the command comes.
    private func offer() {
        let state = self.environment.state.current
        self.session.offersSTARTTLS = state.certificates != nil
        self.session.offersAuthentication = state.users != nil
    }

    /// Does one action. `false` when the loop must stop: more bytes, an answer, or the end have to come first.
    func perform(_ action: SMTPServerAction, _ context: ChannelHandlerContext) -> Bool {
        switch action {
        case .reply(let reply):
            self.answer(reply)
            return true
        case .decideRecipient(let path, let envelope):
            return self.perform(self.decide(path, envelope, context), context)
        case .authenticate(let credentials): self.authenticate(credentials, context)
        case .beginMessage(let envelope, let reply):
            self.beginMessage(envelope, reply, context)
            return true
        case .discardMessage(let reply):
            self.formerSender = self.message?.sender
            self.dropMessage(reply)
            self.answer(reply)
            return true
        case .discardMessageAndClose(let reply):
            self.formerSender = self.message?.sender
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

    /// Whether one more reply fits. One read brings few; a client that has ended its side may have left many commands,
    /// whose replies wait until it takes those before them.
    private func mayReplyMore(_ context: ChannelHandlerContext) -> Bool {
        guard self.replies.count > Self.mostReplies else { return true }
        self.flush(context)
        return context.channel.isWritable
    }

    private func needInput(_ context: ChannelHandlerContext) {
        self.flush(context)
        // What is unfinished stays so, and everything else has been answered.
        if self.hasInputEnded { return self.end(context) }
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
        guard !self.isWaiting || self.isPastHalfClosedTime(context) else {
            self.timer?.arm(self.environment.timeouts.dataBlock, notBeyond: self.deadlineOfWaiting)
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

    /// Nobody knows whether a client that has ended its side still waits for us.
    private func isPastHalfClosedTime(_ context: ChannelHandlerContext) -> Bool {
        context.eventLoop.now >= self.deadlineOfWaiting
    }

    private var deadlineOfWaiting: NIODeadline { self.hasInputEnded ? self.endOfLife : .distantFuture }

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
        self.answer(reply)
        self.end(context)
    }

    /// Ends the connection behind the replies that are still to go out.
    private func end(_ context: ChannelHandlerContext) {
        self.isClosing = true
        self.timer?.disarm()
        self.dropMessage(.aborted)
        let lingeringClose = LingeringCloseHandler(self.replies, clientHasEnded: self.hasInputEnded)
        self.replies = []
        do {
            try context.pipeline.syncOperations.addHandler(lingeringClose, position: .before(self))
        } catch {
            context.close(promise: nil)
        }
    }

    /// Bytes of replies that are gathered before they are flushed.
    private static let mostReplies = 16 << 10
    /// Bytes read of the client's and not processed yet. While it keeps its side open that is one read. Of a client
    /// that has closed its sending side, it is all that the socket's receive buffer held.
    private static let mostInput = 1 << 20
    /// Bytes that the system is asked to hold of a client until they are read; Linux allows twice as many. More would come into
    /// memory at once when the client ends its side.
    static let receiveBuffer = 256 << 10

    /// Has a reply written; a refusal is counted, and logged with what it was about.
    private func answer(_ reply: SMTPReply) {
        reply.serialise(into: &self.replies)
        defer { (self.recipientInQuestion, self.formerSender) = (nil, nil) }
        guard let reason = RejectReason(reply) else { return }
        self.environment.metrics.smtpdRejects.increment(reason)
        var refused = InboundLog.Refused(client: self.identity)
        refused.hello = self.session.hello.map { Reception.told(SafeText.escape($0.name)) }
        refused.rule = self.environment.state.current.policy.rule(for: self.identity)
        refused.sender = self.formerSender ?? self.session.envelope?.reversePath.storedText
        refused.recipient = self.recipientInQuestion?.mailbox.map { "\($0)" }
        self.environment.intake.log.refused(
            refused, reason.rawValue, reply, at: self.environment.time.now)
    }
}

extension ChannelHandlerContext {
    /// The context for closures that NIO runs on this event loop.
    var loopBound: NIOLoopBound<ChannelHandlerContext> { NIOLoopBound(self, eventLoop: self.eventLoop) }
}
