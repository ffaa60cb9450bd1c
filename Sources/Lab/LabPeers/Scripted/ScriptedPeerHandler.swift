import NIOCore
import TLSEngine

/// Carries out what a `ScriptedConversation` says on one channel.
final class ScriptedPeerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private var conversation: ScriptedConversation
    private let certificates: ServerCertificateStore?
    private let recorder: ScriptedRecorder
    private let connection: Int
    private var buffer = ByteBuffer()
    /// Actions behind a wait; while there are any, nothing more is read from `buffer`.
    private var pending: [ScriptedConversation.Action] = []
    private var isWaiting = false
    /// Whether nothing is read from the socket.
    private var isStalled = false
    private var isClosed = false
    private var tls: TLSConnectionInfo?

    init(
        _ conversation: ScriptedConversation, certificates: ServerCertificateStore?, recorder: ScriptedRecorder,
        connection: Int
    ) {
        self.conversation = conversation
        self.certificates = certificates
        self.recorder = recorder
        self.connection = connection
    }

    func channelActive(context: ChannelHandlerContext) {
        self.recorder.record(
            .opened(connection: self.connection, from: context.channel.remoteAddress?.ipAddress ?? ""))
        self.pending = self.conversation.opened()
        self.advance(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.buffer.discardReadBytes()
        self.buffer.writeBuffer(&bytes)
        self.advance(context)
    }

    func read(context: ChannelHandlerContext) {
        // What is held back here is made good at the end of the stall.
        if !self.isStalled { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isClosed = true
        self.recorder.closed()
        self.recorder.record(.closed(connection: self.connection))
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? TLSEvent else { return context.fireUserInboundEventTriggered(event) }
        if case .serverHandshake(let outcome) = event {
            self.recorder.record(.handshake(connection: self.connection, outcome))
            if case .encrypted(let info) = outcome { self.conversation.secured(info) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Acting

    private func advance(_ context: ChannelHandlerContext) {
        while !self.isWaiting, !self.isClosed {
            if self.pending.isEmpty {
                guard let actions = self.conversation.next(&self.buffer) else { break }
                self.pending = actions
            }
            let actions = self.pending
            self.pending = []
            for (index, action) in actions.enumerated() {
                self.perform(action, context)
                if self.isWaiting {
                    self.pending = Array(actions[(index + 1)...])
                    break
                }
            }
        }
        context.flush()
    }

    private func perform(_ action: ScriptedConversation.Action, _ context: ChannelHandlerContext) {
        guard !self.isClosed else { return }
        switch action {
        case .write(let text):
            context.write(self.wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
        case .wait(let duration): self.wait(duration, context)
        case .stall(let duration): self.stall(duration, context)
        case .startTLS: self.startTLS(context)
        case .store(let mail): self.recorder.store(mail)
        case .command(let line): self.recorder.record(.command(connection: self.connection, line))
        case .close:
            self.isClosed = true
            context.flush()
            context.close(promise: nil)
        }
    }

    private func wait(_ duration: Duration, _ context: ChannelHandlerContext) {
        context.flush()
        self.isWaiting = true
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) {
            self.isWaiting = false
            self.advance(context)
        }
    }

    private func stall(_ duration: Duration, _ context: ChannelHandlerContext) {
        context.flush()
        self.isWaiting = true
        self.isStalled = true
        self.stayStalled(until: .now() + TimeAmount(duration), context)
    }

    private func stayStalled(until end: NIODeadline, _ context: ChannelHandlerContext) {
        guard !self.isClosed else { return }
        guard .now() < end, !self.recorder.read({ $0.endsStalls }) else {
            self.isWaiting = false
            self.isStalled = false
            context.read()
            return self.advance(context)
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) {
            self.stayStalled(until: end, context)
        }
    }

    private func startTLS(_ context: ChannelHandlerContext) {
        guard let certificates = self.certificates else { return }
        context.flush()
        // Plaintext behind the client's STARTTLS must not be run under TLS.
        self.buffer.clear()
        do {
            try context.pipeline.syncOperations.addHandler(TLSHandler.server(certificates), position: .first)
        } catch {
            context.close(promise: nil)
        }
    }
}
