import GRPCCore
import NIOCore
import Synchronization

typealias RequestPart = RPCRequestPart<[UInt8]>
typealias ResponsePart = RPCResponsePart<[UInt8]>

/// A call that a client began, for a task to handle.
struct AcceptedCall: Sendable {
    let method: MethodDescriptor
    let key: StreamKey
    let inbound: InboundQueue<RequestPart>
    let mailbox: StreamMailbox<ResponsePart>
    let cancellation: CallCancellation
    let peer: ConnectionPeer
}

/// Passes a call's cancellation on to its handler, whichever comes first.
final class CallCancellation: Sendable {
    private struct State {
        var isCancelled = false
        var handle: ServerContext.RPCCancellationHandle?
    }

    private let state = Mutex(State())

    func cancel() {
        let handle = self.state.withLock { state in
            state.isCancelled = true
            return state.handle
        }
        handle?.cancel()
    }

    func attach(_ handle: ServerContext.RPCCancellationHandle) {
        let isCancelled = self.state.withLock { state in
            state.handle = handle
            return state.isCancelled
        }
        if isCancelled { handle.cancel() }
    }
}

/// The streams of a server's connection.
final class ServerStreams: ConnectionStreams {
    /// What becomes of calls.
    enum Calls {
        case handled(@Sendable (AcceptedCall) -> Void)
        /// Each gets this answer.
        case refused(HeaderList)
    }

    private struct Stream {
        let id: HTTP2StreamID
        let call: AcceptedCall
        var machine: ServerStreamMachine
        var receiver: MessageReceiver
        var deadline: Scheduled<Void>?
    }

    private let eventLoop: any EventLoop
    private let calls: Calls
    private let hasRefused: () -> Void
    private let mailbox: StreamMailbox<ResponsePart>
    private var flow: ConnectionFlow?
    private var peer: ConnectionPeer?
    private var streams: [StreamKey: Stream] = [:]
    private var keys: [HTTP2StreamID: StreamKey] = [:]
    /// Calls whose handlers have not ended; some of their streams may be gone.
    private var handlers: Set<StreamKey> = []
    /// Called when there is something to send.
    var wake: () -> Void = {}

    /// - Parameter hasRefused: called when a call was refused for the connection's sake.
    init(
        _ eventLoop: any EventLoop, _ mailbox: StreamMailbox<ResponsePart>, _ calls: Calls,
        hasRefused: @escaping () -> Void
    ) {
        self.eventLoop = eventLoop
        self.mailbox = mailbox
        self.calls = calls
        self.hasRefused = hasRefused
    }

    var openCount: Int { self.streams.count }

    func started(_ flow: ConnectionFlow, _ peer: ConnectionPeer) {
        self.flow = flow
        self.peer = peer
    }

    // MARK: The client

    func received(_ event: HTTP2Event, at now: NIODeadline) {
        switch event {
        case .headers(let id, let list, let endStream): self.headers(id, list, endStream)
        case .oversizedHeaders(let id, _): self.oversizedHeaders(id)
        case .data(let id, let bytes): self.data(id, bytes)
        case .endStream(let id): if let key = self.keys[id] { self.requestEnded(key) }
        case .closed(let id, let code): self.closed(id, code)
        case .sent(let id, let bytes): if let key = self.keys[id] { self.mailbox.sent(bytes, of: key) }
        case .goAway, .settings, .ping, .pingAcknowledged: ()
        }
    }

    private func headers(_ id: HTTP2StreamID, _ list: HeaderList, _ endStream: Bool) {
        guard let flow = self.flow else { return }
        // A second section is the request's trailers, which gRPC gives no meaning.
        if let key = self.keys[id] { return self.requestEnded(key) }
        // A client that resets its calls leaves their handlers behind for a while.
        guard self.handlers.count < 2 * flow.settings.http2.concurrentStreams else {
            return flow.session.reset(id, .refusedStream)
        }
        switch (RequestHead.judge(list), self.calls) {
        case (.rejected(let answer), _): flow.session.respondOnly(id, answer)
        case (.accepted(let head), .handled(let accept)): self.open(id, head, endStream, flow, accept)
        case (.accepted, .refused(let answer)):
            flow.session.respondOnly(id, answer)
            self.hasRefused()
        }
    }

    private func open(
        _ id: HTTP2StreamID, _ head: RequestHead, _ endStream: Bool, _ flow: ConnectionFlow,
        _ accept: (AcceptedCall) -> Void
    ) {
        guard let peer = self.peer else { return }
        let key = self.mailbox.open()
        let mailbox = self.mailbox
        let call = AcceptedCall(
            method: head.method, key: key, inbound: InboundQueue { mailbox.post(.taken($0)) }, mailbox: mailbox,
            cancellation: CallCancellation(), peer: peer)
        var stream = Stream(
            id: id, call: call, machine: ServerStreamMachine(endStream: endStream), receiver: flow.receiver(key))
        if let timeout = head.timeout {
            stream.deadline = self.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: timeout)) {
                self.deadlinePassed(key)
            }
        }
        self.streams[key] = stream
        self.keys[id] = key
        self.handlers.insert(key)
        call.inbound.deliver(.metadata(head.metadata))
        if endStream { call.inbound.finish() }
        accept(call)
    }

    private func oversizedHeaders(_ id: HTTP2StreamID) {
        guard let key = self.keys[id] else {
            self.flow?.session.respondOnly(id, RequestHead.oversized)
            return
        }
        self.fail(key, RPCError(code: .resourceExhausted, message: "the trailers of the request are too large"))
    }

    private func data(_ id: HTTP2StreamID, _ bytes: ByteBuffer) {
        guard let flow = self.flow else { return }
        flow.received(bytes.readableBytes)
        guard let key = self.keys[id], var stream = self.streams[key], stream.machine.receivedData() == .take else {
            return flow.drop(bytes, of: id)
        }
        self.streams[key] = nil
        let inbound = stream.call.inbound
        var violation: RPCError?
        do {
            self.grant(try flow.feed(bytes, to: &stream.receiver, of: id) { inbound.deliver(.message($0), $1) })
        } catch { violation = error }
        self.streams[key] = stream
        if let violation { self.fail(key, violation) }
    }

    private func requestEnded(_ key: StreamKey) {
        guard var stream = self.streams[key] else { return }
        let outcome = stream.machine.receivedEnd(isWithinMessage: stream.receiver.isWithinMessage)
        self.streams[key] = stream
        switch outcome {
        case .end: stream.call.inbound.finish()
        case .violation(let error, let answer): self.answer(stream, answer, failing: error)
        case .dropped: ()
        }
    }

    private func closed(_ id: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        guard let key = self.keys.removeValue(forKey: id), var stream = self.streams.removeValue(forKey: key) else {
            return
        }
        stream.deadline?.cancel()
        if let flow = self.flow { self.grant(flow.gone(stream.receiver)) }
        let over = RPCError(code: .cancelled, message: "the call is over")
        switch stream.machine.closed(code) {
        case .cancelled(let error): self.cancel(stream.call, error)
        case .dropped:
            // Answered: the handler may still read what came.
            stream.call.inbound.finish(throwing: over)
            self.mailbox.close(key, over)
        }
    }

    private func cancel(_ call: AcceptedCall, _ error: RPCError) {
        call.inbound.finish(throwing: error)
        self.mailbox.close(call.key, error)
        call.cancellation.cancel()
    }

    // MARK: Endings of ours

    private func deadlinePassed(_ key: StreamKey) {
        self.fail(key, RPCError(code: .deadlineExceeded, message: "the deadline has passed"))
        self.wake()
    }

    /// Ends a call with a status of the transport's own, and its handler's part in it.
    private func fail(_ key: StreamKey, _ error: RPCError) {
        guard var stream = self.streams[key], let answer = stream.machine.fail(error) else { return }
        self.streams[key] = stream
        self.answer(stream, answer, failing: error)
    }

    private func answer(_ stream: Stream, _ answer: ServerStreamMachine.Answer, failing error: RPCError) {
        self.send(answer, stream.id)
        self.cancel(stream.call, error)
    }

    private func send(_ answer: ServerStreamMachine.Answer, _ id: HTTP2StreamID) {
        switch answer {
        case .trailers(let list): self.flow?.session.end(id, .trailers(list))
        case .trailersOnly(let list): self.flow?.session.respondOnly(id, list)
        }
    }

    private func grant(_ keys: [StreamKey]) {
        for key in keys {
            guard let consume = self.streams[key]?.receiver.granted(), let id = self.streams[key]?.id else { continue }
            self.flow?.session.consume(id, consume)
        }
    }

    // MARK: The handlers

    func drain(at now: NIODeadline) {
        for item in self.mailbox.take() {
            switch item {
            case .run(let body): body()
            case .part(let key, let part): self.send(key) { $0.send(part) }
            case .finish(let key): self.send(key) { $0.finish() }
            case .leave(let key): self.left(key)
            case .taken(let receipt):
                guard let flow = self.flow else { continue }
                self.grant(flow.taken(receipt, of: self.streams[receipt.key]?.id))
            }
        }
    }

    private func send(_ key: StreamKey, _ body: (inout ServerStreamMachine) -> ServerStreamMachine.OnSend) {
        guard var stream = self.streams[key], let flow = self.flow else { return }
        let outcome = body(&stream.machine)
        self.streams[key] = stream
        switch outcome {
        case .headers(let list): flow.session.respond(stream.id, list)
        case .body(let message): flow.session.write(stream.id, MessageFraming.frame(message))
        case .status(let answer):
            stream.deadline?.cancel()
            self.send(answer, stream.id)
        case .misuse(let error, let answer): self.answer(stream, answer, failing: error)
        case .dropped: ()
        }
    }

    /// The handler has ended.
    private func left(_ key: StreamKey) {
        self.send(key) { $0.finish() }
        self.handlers.remove(key)
        self.mailbox.forget(key)
    }

    func stopped() {}

    func ended(_ reason: String, at now: NIODeadline) {
        for stream in self.streams.values {
            stream.deadline?.cancel()
            self.cancel(stream.call, RPCError(code: .unavailable, message: reason))
        }
        self.streams = [:]
        self.keys = [:]
        self.flow = nil
    }
}

extension TimeAmount {
    /// The nearest amount.
    init(clamping duration: Duration) {
        let nanoseconds = duration.attoseconds / 1_000_000_000
        self = .nanoseconds(Int64(clamping: min(nanoseconds, Int128(1) << 62)))
    }
}
