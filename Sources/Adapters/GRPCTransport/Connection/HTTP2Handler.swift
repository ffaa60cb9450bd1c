import NIOCore
import TLSEngine

/// Translates between a channel, its session and its streams.
///
/// ```
/// waiting ──TLS 1.3 with h2, or none is used──▶ running ──session over, drained──▶ ending ──flushed──▶ ended
///    └──failure, time──▶ ended                    └──abuse, violation──▶ ending
/// ```
/// In `ending` nothing is read any more; what is queued is flushed, a GOAWAY at its end.
final class HTTP2Handler<Streams: ConnectionStreams>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum State {
        case waiting
        case running(ConnectionFlow)
        case ending
        case ended
    }

    let role: HTTP2Session.Role
    let settings: ConnectionSettings
    let isSecure: Bool
    let streams: Streams
    let tell: (ConnectionEvent) -> Void
    var state = State.waiting
    var drain = GracefulDrain()
    var strikes = PingStrikes()
    var keepalive: Keepalive?
    var timers: [Scheduled<Void>] = []
    var keepaliveTimer: Scheduled<Void>?
    /// Why the connection ends: the first cause that was seen.
    private(set) var reason: String?
    private var isPumping = false
    private var isReady = false
    private var isDraining = false
    private var lastWrite: EventLoopFuture<Void>?
    private(set) var context: ChannelHandlerContext?

    /// - Parameters:
    ///   - isSecure: whether TLS stands in front of it.
    ///   - tell: gets what the transport must know, on the event loop.
    init(
        _ role: HTTP2Session.Role, _ settings: ConnectionSettings, isSecure: Bool, streams: Streams,
        tell: @escaping (ConnectionEvent) -> Void
    ) {
        self.role = role
        self.settings = settings
        self.isSecure = isSecure
        self.streams = streams
        self.tell = tell
    }

    // MARK: Lifetime

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.tell(.opened)
        if context.channel.isActive { self.begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end(context)
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.note("the connection failed: \(error)")
        context.close(promise: nil)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard case .waiting = self.state, self.timers.isEmpty else { return }
        self.schedule(in: self.settings.handshakeTime) { $0.handshakeTimeIsUp() }
        if !self.isSecure { self.start(context, security: nil) }
    }

    private func end(_ context: ChannelHandlerContext) {
        if case .ended = self.state { return }
        self.state = .ended
        for timer in self.timers { timer.cancel() }
        self.keepaliveTimer?.cancel()
        // First, so that a call which begins again finds another connection.
        self.drains(self.reason ?? "the connection was lost")
        self.streams.ended(self.reason ?? "the connection was lost", at: context.eventLoop.now)
        self.tell(.closed)
    }

    /// Notes why the connection ends, unless it is known; gives what is known.
    @discardableResult
    func note(_ reason: String) -> String {
        self.reason = self.reason ?? reason
        return self.reason ?? reason
    }

    /// Tells that no call may begin any more.
    func drains(_ reason: String) {
        guard !self.isDraining else { return }
        self.isDraining = true
        self.tell(.draining(reason))
    }

    // MARK: TLS

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .clientHandshake(.established(_, let info))?, .serverHandshake(.encrypted(let info))?:
            self.judge(info, context)
        case .clientHandshake(.failed(let failure, refusedChain: _))?, .serverHandshake(.failed(let failure))?:
            self.refuse("TLS: \(failure.text)", context)
        case .truncated(let failure)?:
            self.note("the connection was lost: \(failure.text)")
            context.close(promise: nil)
        case .closedByPeer?:
            self.note("the peer closed the connection")
            context.close(promise: nil)
        case nil: ()
        }
        if case .inputClosed? = event as? ChannelEvent, !self.isSecure { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    private func judge(_ info: TLSConnectionInfo, _ context: ChannelHandlerContext) {
        guard info.version == "TLSv1.3" else { return self.refuse("TLS: \(info.version) is too old", context) }
        guard info.applicationProtocol == "h2" else { return self.refuse("TLS: ALPN did not choose h2", context) }
        self.start(context, security: info)
    }

    func refuse(_ reason: String, _ context: ChannelHandlerContext) {
        self.note(reason)
        self.tell(.failed(reason))
        context.close(promise: nil)
    }

    private func start(_ context: ChannelHandlerContext, security: TLSConnectionInfo?) {
        guard case .waiting = self.state else { return }
        let now = context.eventLoop.now
        do {
            let flow = ConnectionFlow(try HTTP2Session(self.role, self.settings.http2, at: now), self.settings)
            self.state = .running(flow)
            self.keepalive = self.settings.keepalive.map { Keepalive($0, at: now) }
            self.streams.started(flow, ConnectionPeer(context.channel, security: security))
            self.checkKeepalive()
            if let age = self.settings.maximumAge {
                self.schedule(in: age) { $0.beginDrain("the connection has its age") }
            }
            self.pump()
        } catch {
            self.refuse("\(error)", context)
        }
    }

    // MARK: Bytes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .running(let flow) = self.state else { return }
        let now = context.eventLoop.now
        self.keepalive?.read(at: now)
        flow.session.receive(Self.unwrapInboundIn(data), at: now)
        self.dispatch(flow, at: now)
        if let failure = flow.session.failure { self.failed(failure, flow) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.pump()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.pump()
        context.fireChannelWritabilityChanged()
    }

    /// The application has asked for something.
    func wake() {
        guard let now = self.context?.eventLoop.now else { return }
        self.streams.drain(at: now)
        self.pump()
    }

    /// Sends what there is, as far as the channel takes it, and tells what became of it.
    func pump() {
        guard let context = self.context, case .running(let flow) = self.state, !self.isPumping else { return }
        self.isPumping = true
        while context.channel.isWritable {
            var buffer = context.channel.allocator.buffer(capacity: 4096)
            flow.session.pump(into: &buffer, limit: 32 * 1024)
            guard buffer.readableBytes > 0 else { break }
            self.lastWrite = context.writeAndFlush(Self.wrapOutboundOut(buffer))
            self.dispatch(flow, at: context.eventLoop.now)
        }
        self.isPumping = false
        guard case .running = self.state else { return }
        if let failure = flow.session.failure { return self.failed(failure, flow) }
        if flow.session.isOver || self.drain.isOver(openStreams: self.streams.openCount) { self.finish(flow) }
    }

    private func dispatch(_ flow: ConnectionFlow, at now: NIODeadline) {
        for event in flow.session.takeEvents() {
            switch event {
            case .settings: self.becomesReady()
            case .ping: self.pinged(flow, at: now)
            case .pingAcknowledged(let payload):
                if self.drain.acknowledged(payload) { flow.session.goAway(.noError, "") }
            case .goAway(_, let code, let message):
                if (code, message) == (.enhanceYourCalm, PingStrikes.message) { self.tell(.tooManyPings) }
                // First, so that a call which begins again finds another connection.
                self.drains(self.note("the peer is going away: \(code) \(message)"))
                self.streams.received(event, at: now)
            case .headers, .oversizedHeaders, .data, .endStream, .closed, .sent:
                if case .sent = event { self.strikes.sentFrame() }
                self.streams.received(event, at: now)
            }
        }
    }

    private func becomesReady() {
        guard !self.isReady else { return }
        self.isReady = true
        self.timers.first?.cancel()
        self.tell(.ready)
    }

    private func pinged(_ flow: ConnectionFlow, at now: NIODeadline) {
        guard case .running = self.state, self.role == .server,
            !self.strikes.received(at: now, hasCalls: self.streams.openCount > 0)
        else {
            return
        }
        self.tell(.abuse(.pings))
        flow.session.goAway(.enhanceYourCalm, PingStrikes.message)
        self.finish(flow)
    }

    // MARK: The end

    private func failed(_ failure: HTTP2Failure, _ flow: ConnectionFlow) {
        switch failure {
        case .abuse(let kind): self.tell(.abuse(kind))
        case .violation(let text): self.tell(.failed("HTTP/2: \(text)"))
        }
        self.note("the peer broke the rules: \(failure)")
        self.finish(flow)
    }

    /// Flushes what is queued and closes. The peer gets a second to read it, in which all it sends is dropped; a close with
    /// bytes unread would be a reset, which overtakes the GOAWAY.
    func finish(_ flow: ConnectionFlow) {
        guard let context = self.context, case .running = self.state else { return }
        self.state = .ending
        self.drains(self.note("the session is over"))
        self.streams.stopped()
        var buffer = context.channel.allocator.buffer(capacity: 256)
        // What is queued behind a peer that does not read is bounded; this is the last of it.
        flow.session.pump(into: &buffer, limit: 64 * 1024)
        if buffer.readableBytes > 0 {
            self.lastWrite = context.writeAndFlush(Self.wrapOutboundOut(buffer))
        }
        self.schedule(in: .seconds(1)) { $0.context?.close(promise: nil) }
        let flushed = self.lastWrite ?? context.eventLoop.makeSucceededVoidFuture()
        flushed.assumeIsolated().whenComplete { _ in
            self.context?.close(mode: .output, promise: nil)
        }
    }
}

@available(*, unavailable)
extension HTTP2Handler: Sendable {}
