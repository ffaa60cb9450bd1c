import GRPCCore
import NIOCore

/// The streams of a client's connection.
final class ClientStreams: ConnectionStreams {
    private struct Stream {
        let method: MethodDescriptor
        let timeout: Duration?
        let inbound: InboundQueue<ResponsePart>
        var id: HTTP2StreamID?
        var machine: ClientStreamMachine
        var receiver: MessageReceiver
        var deadline: Scheduled<Void>?
    }

    private let eventLoop: any EventLoop
    private let scheme: String
    private let authority: String
    private let mailbox: StreamMailbox<RequestPart>
    private var flow: ConnectionFlow?
    private var endedBecause = "the connection is not up"
    private var isStopped = false
    private var streams: [StreamKey: Stream] = [:]
    private var keys: [HTTP2StreamID: StreamKey] = [:]
    /// Called when there is something to send.
    var wake: () -> Void = {}

    init(
        _ eventLoop: any EventLoop, _ mailbox: StreamMailbox<RequestPart>, scheme: String, authority: String
    ) {
        self.eventLoop = eventLoop
        self.mailbox = mailbox
        self.scheme = scheme
        self.authority = authority
    }

    var openCount: Int { self.streams.count }

    func started(_ flow: ConnectionFlow, _ peer: ConnectionPeer) { self.flow = flow }

    // MARK: The caller

    /// Opens a stream. Its request begins with its metadata.
    func open(
        _ key: StreamKey, _ method: MethodDescriptor, timeout: Duration?, _ inbound: InboundQueue<ResponsePart>
    ) {
        guard let flow = self.flow, !self.isStopped else {
            let status = Status(code: .unavailable, message: self.endedBecause)
            return self.deliver(ClientStreamMachine.End(status: status, isUnprocessed: true), key, inbound)
        }
        self.streams[key] = Stream(
            method: method, timeout: timeout, inbound: inbound, machine: ClientStreamMachine(),
            receiver: flow.receiver(key))
    }

    func drain(at now: NIODeadline) {
        for item in self.mailbox.take() {
            switch item {
            case .run(let body): body()
            case .part(let key, let part): self.send(key, at: now) { $0.send(part) }
            case .finish(let key): self.send(key, at: now) { $0.finish() }
            case .leave(let key): self.left(key, at: now)
            case .taken(let receipt):
                guard let flow = self.flow else { continue }
                self.grant(flow.taken(receipt, of: self.streams[receipt.key]?.id))
            }
        }
    }

    private func send(
        _ key: StreamKey, at now: NIODeadline,
        _ body: (inout ClientStreamMachine) -> ClientStreamMachine.OnSend
    ) {
        guard var stream = self.streams[key], let flow = self.flow else { return }
        let outcome = body(&stream.machine)
        self.streams[key] = stream
        switch outcome {
        case .request(let metadata): self.request(key, metadata, flow, at: now)
        case .body(let message): if let id = stream.id { flow.session.write(id, MessageFraming.frame(message)) }
        case .endStream: if let id = stream.id { flow.session.end(id, .endStream) }
        case .misuse(let end): self.end(key, end)
        case .dropped: ()
        }
    }

    private func request(_ key: StreamKey, _ metadata: Metadata, _ flow: ConnectionFlow, at now: NIODeadline) {
        guard var stream = self.streams[key] else { return }
        let timeout = GRPCTimeout.told(by: metadata) ?? stream.timeout
        do {
            let list = try RequestHead.fields(
                stream.method, metadata, scheme: self.scheme, authority: self.authority, timeout: timeout)
            guard !self.isStopped, let id = flow.session.request(list) else {
                let reason = self.isStopped ? self.endedBecause : "the connection has no stream numbers left"
                return self.end(key, stream.machine.connectionLost(reason, at: now, isUnprocessed: true))
            }
            stream.id = id
            self.keys[id] = key
        } catch {
            return self.end(key, stream.machine.refuse(error))
        }
        if let timeout {
            let amount = TimeAmount(clamping: timeout)
            stream.machine.deadline = now + amount
            stream.deadline = self.eventLoop.assumeIsolated().scheduleTask(in: amount) { self.deadlinePassed(key) }
        }
        self.streams[key] = stream
    }

    private func deadlinePassed(_ key: StreamKey) {
        guard var stream = self.streams[key] else { return }
        let end = stream.machine.cancel("the deadline has passed", at: self.eventLoop.now)
        self.streams[key] = stream
        self.end(key, end)
        self.wake()
    }

    /// The caller is done with a stream; if the call is not over, that cancels it.
    private func left(_ key: StreamKey, at now: NIODeadline) {
        if var stream = self.streams[key] {
            let end = stream.machine.cancel("the caller has left", at: now)
            self.streams[key] = stream
            self.end(key, end)
        }
        self.mailbox.forget(key)
    }

    // MARK: The server

    func received(_ event: HTTP2Event, at now: NIODeadline) {
        switch event {
        case .headers(let id, let list, let endStream): self.headers(id, list, endStream)
        case .oversizedHeaders(let id, _): self.update(id) { $0.receivedOversizedHeaders() }
        case .data(let id, let bytes): self.data(id, bytes)
        case .endStream(let id): self.update(id) { $0.receivedEnd() }
        case .closed(let id, let code): self.closed(id, code, at: now)
        case .sent(let id, let bytes): if let key = self.keys[id] { self.mailbox.sent(bytes, of: key) }
        case .goAway(let last, _, let message): self.goAway(last, message, at: now)
        case .settings, .ping, .pingAcknowledged: ()
        }
    }

    private func update(
        _ id: HTTP2StreamID, _ body: (inout ClientStreamMachine) -> ClientStreamMachine.End?
    ) {
        guard let key = self.keys[id], var stream = self.streams[key] else { return }
        let end = body(&stream.machine)
        self.streams[key] = stream
        self.end(key, end)
    }

    private func headers(_ id: HTTP2StreamID, _ list: HeaderList, _ endStream: Bool) {
        guard let key = self.keys[id], var stream = self.streams[key] else { return }
        let isCut = endStream && stream.receiver.isWithinMessage
        let outcome =
            isCut
            ? stream.machine.violated(Self.cut).map { .over($0) } ?? .dropped
            : stream.machine.receivedHeaders(list, endStream: endStream)
        self.streams[key] = stream
        switch outcome {
        case .begun(let metadata): stream.inbound.deliver(.metadata(metadata))
        case .over(let end): self.end(key, end)
        case .dropped: ()
        }
    }

    private static var cut: RPCError {
        RPCError(code: .internalError, message: "the response ended in the middle of a message")
    }

    private func data(_ id: HTTP2StreamID, _ bytes: ByteBuffer) {
        guard let flow = self.flow else { return }
        flow.received(bytes.readableBytes)
        guard let key = self.keys[id], var stream = self.streams[key] else { return flow.drop(bytes, of: id) }
        let outcome = stream.machine.receivedData()
        var end: ClientStreamMachine.End?
        switch outcome {
        case .dropped: flow.drop(bytes, of: id)
        case .over(let over):
            flow.drop(bytes, of: id)
            end = over
        case .take:
            self.streams[key] = nil
            let inbound = stream.inbound
            do {
                self.grant(try flow.feed(bytes, to: &stream.receiver, of: id) { inbound.deliver(.message($0), $1) })
            } catch { end = stream.machine.violated(error) }
        }
        self.streams[key] = stream
        self.end(key, end)
    }

    private func closed(_ id: HTTP2StreamID, _ code: HTTP2ErrorCode, at now: NIODeadline) {
        self.update(id) { $0.closed(code, at: now) }
        guard let key = self.keys.removeValue(forKey: id), let stream = self.streams.removeValue(forKey: key) else {
            return
        }
        if let flow = self.flow { self.grant(flow.gone(stream.receiver)) }
    }

    /// Streams above the last one that the server took were not looked at: they may be tried elsewhere (control 22).
    private func goAway(_ last: HTTP2StreamID, _ message: String, at now: NIODeadline) {
        for (id, _) in self.keys where id > last {
            self.update(id) {
                $0.connectionLost("the server is going away \(message)", at: now, isUnprocessed: true)
            }
        }
    }

    private func grant(_ keys: [StreamKey]) {
        for key in keys {
            guard let consume = self.streams[key]?.receiver.granted(), let id = self.streams[key]?.id else { continue }
            self.flow?.session.consume(id, consume)
        }
    }

    // MARK: The end

    /// Tells the end of a call, resets its stream if that goes on, and forgets a stream that never began.
    private func end(_ key: StreamKey, _ end: ClientStreamMachine.End?) {
        guard let end, let stream = self.streams[key] else { return }
        stream.deadline?.cancel()
        if let id = stream.id {
            if let reset = end.reset { self.flow?.session.reset(id, reset) }
        } else {
            self.streams[key] = nil
        }
        self.deliver(end, key, stream.inbound)
    }

    private func deliver(
        _ end: ClientStreamMachine.End, _ key: StreamKey, _ inbound: InboundQueue<ResponsePart>
    ) {
        // First of all, so that who has read the status finds the stream closed.
        if end.isUnprocessed { inbound.markUnprocessed() }
        let error = RPCError(status: end.status) ?? RPCError(code: .cancelled, message: "the call is over")
        self.mailbox.close(key, error)
        inbound.deliver(.status(end.status, end.metadata))
        inbound.finish()
    }

    func stopped() {
        self.isStopped = true
        self.endedBecause = "the connection is ending"
    }

    func ended(_ reason: String, at now: NIODeadline) {
        self.endedBecause = reason
        for (key, stream) in self.streams {
            var machine = stream.machine
            stream.deadline?.cancel()
            // What was sent may have been done, whatever the server answered.
            let wasSent = stream.id != nil
            guard let end = machine.connectionLost(reason, at: now, isUnprocessed: !wasSent) else { continue }
            self.deliver(end, key, stream.inbound)
        }
        self.streams = [:]
        self.keys = [:]
        self.flow = nil
    }
}
