import GRPCCore
import NIOCore
import NIOPosix
import TLSEngine

/// One connection of a client, seen from outside of its event loop.
final class ClientConnection: Sendable {
    /// Why another connection is needed.
    enum Ending {
        /// No call may begin on this one any more.
        case draining
        /// It was asked for; this one takes calls until it is there.
        case replaced
    }

    let channel: any Channel
    let mailbox: StreamMailbox<RequestPart>
    /// That calls may begin, or why they never will.
    let ready = Once<Result<Void, RPCError>>()
    /// Why no call may begin any more.
    let draining = Once<String>()
    let ending = Once<Ending>()
    let closed = Once<Void>()
    private let handler: NIOLoopBoundBox<HTTP2Handler<ClientStreams>?>

    /// A connection over a channel that is being set up, on its event loop.
    init(_ channel: any Channel, _ configuration: GRPCClientTransport.Configuration) throws {
        self.channel = channel
        var tls: TLSHandler?
        if case .tls(let material) = configuration.security {
            let (context, requirement) = try material()
            tls = try TLSHandler.client(context, requirement, takesCommonName: false)
        }
        let box = NIOLoopBoundBox<HTTP2Handler<ClientStreams>?>(nil, eventLoop: channel.eventLoop)
        self.handler = box
        self.mailbox = StreamMailbox(configuration.connection.mailboxLimits, size: { $0.bytes }) { mailbox in
            channel.eventLoop.execute { Self.wake(box.value, mailbox) }
        }
        let streams = ClientStreams(
            channel.eventLoop, self.mailbox, scheme: tls == nil ? "http" : "https",
            authority: configuration.authority)
        let handler = HTTP2Handler(
            .client, configuration.connection, isSecure: tls != nil, streams: streams
        ) { event in
            self.heard(event)
            configuration.observe(event)
        }
        streams.wake = { [weak handler] in handler?.pump() }
        if let tls { try channel.pipeline.syncOperations.addHandler(tls) }
        try channel.pipeline.syncOperations.addHandler(handler)
        box.value = handler
    }

    /// Does what was asked of a connection; one that is gone refuses.
    private static func wake(_ handler: HTTP2Handler<ClientStreams>?, _ mailbox: StreamMailbox<RequestPart>) {
        if let handler { return handler.wake() }
        for item in mailbox.take() {
            switch item {
            case .run(let body): body()
            case .leave(let key): mailbox.forget(key)
            case .part, .finish, .taken: ()
            }
        }
    }

    private func heard(_ event: ConnectionEvent) {
        switch event {
        case .ready: self.ready.set(.success(()))
        case .draining(let reason): self.drains(reason)
        case .failed(let reason): self.ready.set(.failure(RPCError(code: .unavailable, message: reason)))
        case .abuse(let kind): self.ready.set(.failure(RPCError(code: .unavailable, message: "abuse: \(kind)")))
        case .closed:
            self.handler.value = nil
            self.ready.set(.failure(RPCError(code: .unavailable, message: "the connection was closed")))
            self.drains("the connection was closed")
            self.closed.set(())
        case .opened, .refused, .tooManyPings: ()
        }
    }

    private func drains(_ reason: String) {
        self.draining.set(reason)
        self.ending.set(.draining)
    }

    /// Opens a stream. If the connection is gone, the call ends with UNAVAILABLE.
    func open(
        _ method: MethodDescriptor, timeout: Duration?
    ) -> (key: StreamKey, inbound: InboundQueue<ResponsePart>) {
        let mailbox = self.mailbox
        let inbound = InboundQueue<ResponsePart> { mailbox.post(.taken($0)) }
        let key = mailbox.open()
        let opening = StreamMailbox<RequestPart>.Item.run {
            if let handler = self.handler.value {
                handler.streams.open(key, method, timeout: timeout, inbound)
            } else {
                let status = Status(code: .unavailable, message: "the connection was closed")
                inbound.markUnprocessed()
                mailbox.close(key, RPCError(code: .unavailable, message: status.message))
                inbound.deliver(.status(status, [:]))
                inbound.finish()
            }
        }
        mailbox.post(opening)
        return (key, inbound)
    }

    /// Lets open calls end, and then closes.
    func drain() {
        self.channel.eventLoop.execute { self.handler.value?.beginDrain("the client is shutting down") }
    }
}
