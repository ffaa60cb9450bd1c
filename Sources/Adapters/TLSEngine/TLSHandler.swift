public import Cryptography
public import MailModel
public import NIOCore
public import TransportSecurity

/// TLS for one connection, added to the front of a pipeline at STARTTLS time.
///
/// It begins the handshake when it is added to an active channel (or when the channel becomes active), and fires the outcome as
/// a `TLSEvent`. No application byte passes in either direction before a good outcome: a write before it fails with
/// `TLSFailure`, a bad outcome closes the channel. The deadline of a handshake is the owner's to keep.
///
/// Bytes that were read before the handler was added and belong to TLS are given as `firstBytes`. All plaintext of one flush
/// leaves as one write of ciphertext. After `TLSEvent.closedByPeer` the channel stays open for the owner to close. A server's
/// channel stays open after the end of the transport too: a client that ends its side without close_notify is still answered.
///
/// ```
/// idle ──active──▶ handshaking ──good outcome──▶ open ──close, or the transport's end──▶ ended
///                      └──bad outcome, limit, end──────────────────────────────────────▶ ended
/// ```
public final class TLSHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    enum Side {
        case server
        case client(TLSRequirement)
    }

    enum State {
        case idle
        /// So many bytes of the peer's have been taken.
        case handshaking(received: Int)
        /// Plaintext flows. The peer may have ended its side.
        case open(peerClosed: Bool)
        /// Nothing passes any more.
        case ended
    }

    let side: Side
    let connection: TLSConnection
    var state = State.idle
    /// How the handshake or the connection failed, until whoever is behind us has been told.
    private var untold: TLSEvent?
    private var firstBytes: ByteBuffer?
    private var pending = PendingWrite()
    /// The next handler asked for bytes and has not got any yet.
    private var owesRead = false
    /// Bytes that TLS itself has answered while the peer was not reading.
    private var unreadAnswers = 0

    init(_ side: Side, _ connection: TLSConnection, firstBytes: ByteBuffer?) {
        self.side = side
        self.connection = connection
        self.firstBytes = firstBytes
    }

    /// The server's side of a connection.
    public static func server(
        _ store: ServerCertificateStore, firstBytes: ByteBuffer? = nil
    )
        throws(TLSConfigurationError) -> TLSHandler
    {
        TLSHandler(.server, try TLSConnection(server: store.contexts), firstBytes: firstBytes)
    }

    /// The client's side of a connection.
    ///
    /// Throws when the requirement cannot be met by anybody, such as records of which none is usable.
    ///
    /// - Parameters:
    ///   - serverName: what goes into SNI under `mustEncrypt` and `opportunistic`. The others have names of their own.
    ///   - takesCommonName: whether the common name counts as the peer's name where its certificate has no dNSName. RFC 9525 §2
    ///     forbids it; SMTP has certificates without dNSNames.
    public static func client(
        _ context: TLSClientContext, _ requirement: TLSRequirement, serverName: DomainName? = nil,
        takesCommonName: Bool = true
    )
        throws(TLSConfigurationError) -> TLSHandler
    {
        let connection = try TLSConnection(
            client: context.context(for: requirement), requirement: requirement, serverName: serverName,
            takesCommonName: takesCommonName)
        return TLSHandler(.client(requirement), connection, firstBytes: nil)
    }

    // MARK: Lifetime

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.begin(context) }
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.state = .ended
        self.pending.fail(ChannelError.ioOnClosedChannel)
    }

    public func channelActive(context: ChannelHandlerContext) {
        self.begin(context)
        context.fireChannelActive()
    }

    public func channelInactive(context: ChannelHandlerContext) {
        self.transportEnded(context)
        self.state = .ended
        self.pending.fail(ChannelError.ioOnClosedChannel)
        self.tell(context)
        context.fireChannelInactive()
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { self.transportEnded(context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// A reset ends the transport as well. Whoever is behind us closes when it hears of it, so the outcome comes first.
    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.transportEnded(context)
        self.tell(context)
        context.fireErrorCaught(error)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard case .idle = self.state else { return }
        self.state = .handshaking(received: 0)
        if let bytes = self.firstBytes {
            self.firstBytes = nil
            self.received(bytes, context)
        } else {
            self.goOn(context)
        }
        context.read()
    }

    // MARK: Inbound

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received(Self.unwrapInboundIn(data), context)
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Nobody behind us can ask for more while what came was TLS's own.
        switch self.state {
        case .handshaking: context.read()
        case .open where self.owesRead: context.read()
        case .open, .idle, .ended: ()
        }
    }

    public func read(context: ChannelHandlerContext) {
        self.owesRead = true
        context.read()
    }

    private func received(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        switch self.state {
        case .handshaking(let received) where received + bytes.readableBytes > TLSLimits.handshakeBytes:
            self.fail(TLSFailure(.limitExceeded, "more than \(TLSLimits.handshakeBytes) bytes of handshake"), context)
        case .handshaking(let received):
            self.state = .handshaking(received: received + bytes.readableBytes)
            self.connection.received(bytes)
            self.goOn(context)
        case .open(peerClosed: false):
            self.connection.received(bytes)
            self.deliver(context)
        case .open, .idle, .ended:
            // What follows close_notify is not authentic, and what follows a failure is of no interest.
            ()
        }
    }

    private func goOn(_ context: ChannelHandlerContext) {
        let step = self.connection.handshake()
        switch step {
        case .incomplete:
            self.send(context)
        case .complete:
            self.conclude(context)
        case .closedByPeer:
            self.fail(TLSFailure(.refusedByPeer, "the peer closed TLS in the handshake"), context)
        case .failed(let failure):
            self.fail(failure, context)
        }
    }

    /// The handshake is complete on our side: judge, tell, and only then deliver.
    private func conclude(_ context: ChannelHandlerContext) {
        switch self.outcome() {
        case .failure(let failure):
            self.connection.shutDown()
            self.fail(failure, context)
        case .success(let event):
            self.send(context)
            self.state = .open(peerClosed: false)
            context.fireUserInboundEventTriggered(event)
            // The event's receiver may have closed the connection.
            if case .open(peerClosed: false) = self.state { self.deliver(context) }
        }
    }

    /// Hands on all plaintext there is, as one buffer.
    private func deliver(_ context: ChannelHandlerContext) {
        var plaintext = context.channel.allocator.buffer(capacity: 0)
        var step = TLSConnection.Step.complete
        while step == .complete { step = self.connection.read(into: &plaintext) }
        self.sendAnswer(context)
        if plaintext.readableBytes > 0, case .open = self.state {
            self.owesRead = false
            context.fireChannelRead(Self.wrapInboundOut(plaintext))
        }
        guard case .open(peerClosed: false) = self.state else { return }
        switch step {
        case .closedByPeer:
            self.state = .open(peerClosed: true)
            context.fireUserInboundEventTriggered(TLSEvent.closedByPeer)
        case .failed(let failure):
            self.fail(failure, context)
        case .complete, .incomplete:
            ()
        }
    }

    private func transportEnded(_ context: ChannelHandlerContext) {
        switch (self.state, self.side) {
        case (.open(peerClosed: false), .server):
            // OpenSSL is not told of this end, for then it would write nothing more.
            self.deliver(context)
            guard case .open(peerClosed: false) = self.state else { return }
            self.state = .open(peerClosed: true)
            context.fireUserInboundEventTriggered(TLSEvent.truncated(.peerWentAway))
        case (.open(peerClosed: false), .client):
            self.connection.transportEnded()
            self.deliver(context)
        case (.handshaking, _):
            self.connection.transportEnded()
            self.goOn(context)
        case (.open, _), (.idle, _), (.ended, _):
            self.connection.transportEnded()
        }
    }

    // MARK: Outbound

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = self.state else {
            promise?.fail(TLSFailure(.internalError, "no byte may be written before the handshake's good outcome"))
            return
        }
        self.pending.add(Self.unwrapOutboundIn(data), promise)
    }

    public func flush(context: ChannelHandlerContext) {
        guard case .open = self.state, let (plaintext, promise) = self.pending.take(on: context.eventLoop) else {
            context.flush()
            return
        }
        switch self.connection.write(plaintext) {
        case .failed(let failure):
            promise?.fail(failure)
            self.fail(failure, context)
        case .incomplete, .closedByPeer:
            // The transport takes everything and renegotiation is off, so a write never waits.
            let failure = TLSFailure(.internalError, "OpenSSL does not take the bytes")
            promise?.fail(failure)
            self.fail(failure, context)
        case .complete:
            // An empty write leaves nothing to send, and is done all the same.
            let output = self.connection.takeOutput() ?? ByteBuffer()
            context.writeAndFlush(Self.wrapOutboundOut(output), promise: promise)
        }
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .open = self.state, mode != .input {
            self.connection.shutDown()
            self.send(context)
        }
        if mode == .all { self.state = .ended }
        if mode != .input { self.pending.fail(ChannelError.ioOnClosedChannel) }
        context.close(mode: mode, promise: promise)
    }

    /// Sends what reading has made, such as the refusal of a renegotiation or a key update. A peer that makes us answer and
    /// does not read would fill our memory, so there is a limit to that.
    private func sendAnswer(_ context: ChannelHandlerContext) {
        guard let output = self.connection.takeOutput() else { return }
        self.unreadAnswers = context.channel.isWritable ? 0 : self.unreadAnswers + output.readableBytes
        guard self.unreadAnswers <= TLSLimits.unreadAnswerBytes else {
            return self.fail(TLSFailure(.limitExceeded, "the peer makes TLS answer and does not read"), context)
        }
        context.writeAndFlush(Self.wrapOutboundOut(output), promise: nil)
    }

    private func send(_ context: ChannelHandlerContext) {
        guard let output = self.connection.takeOutput() else { return }
        context.writeAndFlush(Self.wrapOutboundOut(output), promise: nil)
    }

    /// Ends the connection: sends the alert that OpenSSL has made, tells the next handler once, and closes.
    private func fail(_ failure: TLSFailure, _ context: ChannelHandlerContext) {
        self.untold = self.event(for: failure)
        self.state = .ended
        // The alert may find the transport ended, which then is heard of before this returns.
        self.send(context)
        self.pending.fail(failure)
        self.tell(context)
        context.close(promise: nil)
    }

    /// Tells how it ended, unless that is told already.
    private func tell(_ context: ChannelHandlerContext) {
        guard let event = self.untold else { return }
        self.untold = nil
        context.fireUserInboundEventTriggered(event)
    }
}

@available(*, unavailable)
extension TLSHandler: Sendable {}
