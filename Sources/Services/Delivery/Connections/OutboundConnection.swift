import DeliveryQueue
import MailModel
import NIOCore
import SMTPProtocol
import ServiceSupport
import TLSEngine
import TransportSecurity

/// One connection to a receiving host: carries bytes to `SMTPClientSession` and does what it says.
///
/// Confined to its event loop, which is also the executor of the destination that uses it. So its methods are called
/// and its futures awaited without a change of thread. One operation is under way at a time.
final class OutboundConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What came of opening a connection.
    enum Opened: Sendable {
        /// Mail may be sent, so protected.
        case ready(Established)
        /// Not this host now.
        case failed(HostFailure)
        /// The same host again, and offering less TLS (rule 28).
        case retry(TLSOffer, because: TLSFailure)
    }

    /// What came of offering a message's envelope.
    enum Begun: Sendable {
        /// The server waits for the content.
        case transferContent
        /// It is over.
        case ended(Ended)
    }

    /// How one transaction ended: with an outcome for each recipient that was decided, and if the connection is of no more
    /// use, with the reason for that.
    struct Ended: Sendable {
        var outcomes: [AttemptOutcome?] = []
        var failure: HostFailure?
    }

    /// How long the reply to QUIT is waited for: nothing depends on it, and a drain should not either.
    private static let quitTime = Duration.seconds(2)

    enum Operation {
        case none
        case opening(EventLoopPromise<Opened>)
        case beginning(EventLoopPromise<Begun>)
        case transferring
        /// The server has spoken of the message before all of it was written.
        case decided([AttemptOutcome?])
        case finishing(EventLoopPromise<Ended>)
        case over(HostFailure)

        var isOver: Bool { if case .over = self { true } else { false } }
    }

    private(set) var requirement: AttemptRequirement
    let tls: TLSClientContext
    let offer: TLSOffer
    let timeouts: SMTPTimeouts
    var session: SMTPClientSession
    private var input = ByteBuffer()
    var operation: Operation
    var context: ChannelHandlerContext?
    var timer: DeadlineTimer?
    private var armedFor = SMTPTimeouts.ClientWait.nothing
    /// When the transaction under way, or the last one, is over at the latest.
    var transactionEnd = NIODeadline.distantFuture
    var established = Established(label: .none)
    private(set) var isWithoutUsableRecords = false
    /// The handshake is complete, and no reply has come over TLS: until then the host may still be refusing us.
    var awaitsFirstReplyOverTLS = false
    /// Whether others need the connection more, by what is waited for.
    private let patience: (ConnectionPhase) -> ConnectionAdmission.Patience
    /// When the host last answered, or took content.
    private var lastProgress: NIODeadline

    /// A connection that says into `opened` what came of it.
    init(
        requirement: AttemptRequirement, tls: TLSClientContext, offer: TLSOffer, helloName: DomainName,
        usesChunking: Bool, timeouts: SMTPTimeouts, opened: EventLoopPromise<Opened>,
        patience: @escaping (ConnectionPhase) -> ConnectionAdmission.Patience = { _ in .stay }
    ) {
        self.patience = patience
        self.lastProgress = opened.futureResult.eventLoop.now
        self.requirement = requirement
        self.tls = tls
        self.offer = offer
        self.timeouts = timeouts
        self.session = SMTPClientSession(
            helloName: helloName, asksForTLS: offer != .cleartext, usesChunking: usesChunking)
        self.operation = .opening(opened)
    }

    /// Whether another message may be begun.
    var isReady: Bool {
        if case .none = self.operation { self.session.stage == .ready } else { false }
    }

    /// What the host offers and limits, once the connection is ready.
    var capabilities: SMTPServerCapabilities { self.session.capabilities }

    /// OpenSSL rejects each record, which is a fact about the records, and not about the host (rule 14). `false` where nothing
    /// may be sent without.
    func dropRecords() -> Bool {
        guard let rest = self.requirement.withoutUsableRecords else { return false }
        self.requirement = rest
        self.isWithoutUsableRecords = true
        return true
    }

    /// There never was a connection.
    func connectingFailed(_ failure: HostFailure) { self.fail(failure) }

    /// Says goodbye where that is possible, and closes.
    func quit() {
        guard self.isReady else { return self.closeChannel() }
        self.perform(self.session.quit())
        self.timer?.arm(Self.quitTime)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.timer = DeadlineTimer(on: context.eventLoop) { [unowned self] in self.deadlinePassed() }
        if context.channel.isActive { self.armTimer(afterProgress: true) }
        self.askForPatience()
    }

    func channelActive(context: ChannelHandlerContext) {
        self.armTimer(afterProgress: true)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
        self.context = nil
        // NIO tells no `channelInactive` of a channel that is closed in the turn in which it was connected, as by a node that stops.
        self.perform(self.session.connectionClosed())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Nothing is read that nobody will look at: what a server says behind the end would pile up.
        guard self.session.stage != .finished else { return }
        var bytes = self.unwrapInboundIn(data)
        self.input.writeBuffer(&bytes)
        self.process()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.connectionEnded(TLSFailure(.truncated, "the connection ended behind the handshake"))
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSEvent.clientHandshake(let outcome): self.handshakeEnded(outcome)
        // The peer sends no more; what came last over a broken connection may be incomplete and counts for nothing.
        case TLSEvent.truncated(let failure): self.connectionEnded(failure)
        case TLSEvent.closedByPeer:
            self.connectionEnded(TLSFailure(.truncated, "the peer closed TLS right behind the handshake"))
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: - The loop

    private func process() {
        while true {
            let step = self.session.receive(self.input.readableBytesUInt8Span)
            self.input.moveReaderIndex(forwardBy: step.consumed)
            if step.isWholeReply {
                self.awaitsFirstReplyOverTLS = false
                self.hasProgressed()
            }
            self.perform(step.action)
            self.armTimer(afterProgress: step.isWholeReply)
            if case .needInput = step.action, step.consumed == 0 || self.input.readableBytes == 0 { break }
            if self.session.stage == .handshake || self.session.stage == .finished { break }
        }
        if self.input.readableBytes == 0 { self.input.clear() }
    }

    func perform(_ action: SMTPClientAction) {
        switch action {
        case .needInput: ()
        case .send(let bytes):
            self.context?.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            self.armTimer(afterProgress: true)
        case .startTLS: self.startTLS()
        case .startTLSUnavailable(let reply): self.startTLSUnavailable(reply)
        case .ready: self.ready()
        case .transferContent:
            guard case .beginning(let promise) = self.operation else { return }
            self.operation = .transferring
            promise.succeed(.transferContent)
        case .messageDone(let outcomes): self.messageDone(outcomes)
        case .failed(let failure): self.sessionFailed(failure)
        case .closed: self.closeChannel()
        }
    }

    private func ready() {
        guard case .opening(let promise) = self.operation else { return }
        if self.session.tls == nil {
            self.established = Established(label: .none)
            self.established.abandonedTLS = self.session.startTLSRefusal.map(AbandonedTLS.init(refused:))
        }
        self.operation = .none
        promise.succeed(.ready(self.established))
    }

    /// Ends the connection for this reason, and tells whoever waits.
    func fail(_ failure: HostFailure) {
        let operation = self.operation
        // What was decided of a message outlives the connection.
        if case .decided = operation { return self.closeChannel() }
        guard !operation.isOver else { return self.closeChannel() }
        // Closing may call back: whoever does finds it over.
        self.operation = .over(failure)
        self.closeChannel()
        let ended = Ended(outcomes: self.session.recipientOutcomes, failure: failure)
        switch operation {
        case .opening(let promise): promise.succeed(.failed(failure))
        case .beginning(let promise): promise.succeed(.ended(ended))
        case .finishing(let promise): promise.succeed(ended)
        case .none, .transferring, .decided, .over: ()
        }
    }

    func closeChannel() {
        self.timer?.disarm()
        self.context?.close(promise: nil)
    }

    // MARK: - Deadlines

    /// How often a connection that is being opened looks whether others wait for it.
    private static let patienceInterval = TimeAmount.milliseconds(500)

    private func askForPatience() {
        guard let context else { return }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.patienceInterval) {
            guard !self.operation.isOver, self.context != nil else { return }
            let phase = self.phase
            switch self.patience(phase) {
            case .stay: return self.askForPatience()
            case .giveWay: self.giveUp(.displaced)
            case .timeIsUp where self.isNegotiatingTLS: self.negotiationTimedOut()
            case .timeIsUp: self.giveUp(.outOfTime(in: phase, at: self.session.stage))
            }
        }
    }

    /// What the host is waited for.
    private var phase: ConnectionPhase {
        let stalled = self.context.map { Duration($0.eventLoop.now - self.lastProgress) } ?? .zero
        return switch self.operation {
        case .opening: .opening(hasGreeted: self.session.stage != .greeting)
        case .beginning: .talking(stalled: stalled, isEnding: false)
        case .finishing: .talking(stalled: stalled, isEnding: true)
        case .transferring, .decided: .sending
        case .none, .over: .idle
        }
    }

    /// The host has answered, or taken content, or is asked for something new.
    func hasProgressed() { if let context { self.lastProgress = context.eventLoop.now } }

    private func giveUp(_ failure: HostFailure) {
        _ = self.session.connectionClosed()
        self.fail(failure)
    }

    /// Moves the deadline when something else is waited for, or after progress. Single bytes are no progress, and
    /// behind the final dot only its own reply is.
    func armTimer(afterProgress hasProgressed: Bool) {
        // Once a server has decided, what was written before is still on its way to it.
        let wait: SMTPTimeouts.ClientWait
        if case .decided = self.operation { wait = .dataBlock } else { wait = self.session.waitingFor }
        guard hasProgressed && wait != .dataTermination || wait != self.armedFor else { return }
        self.armedFor = wait
        if let limit = self.timeouts.duration(of: wait) {
            self.timer?.arm(limit, notBeyond: wait.isWithinTransaction ? self.transactionEnd : .distantFuture)
        } else {
            self.timer?.disarm()
        }
    }

    private func deadlinePassed() {
        guard !self.isNegotiatingTLS else { return self.negotiationTimedOut() }
        let stage = self.session.stage
        let now = self.context?.eventLoop.now ?? .distantPast
        let isOverdue = self.session.waitingFor.isWithinTransaction && now >= self.transactionEnd
        _ = self.session.connectionClosed()
        self.fail(isOverdue ? HostFailure.overdue(at: stage) : HostFailure.silence(at: stage))
    }
}
