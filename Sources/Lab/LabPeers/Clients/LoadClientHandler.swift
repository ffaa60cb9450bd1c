import MailModel
import NIOCore
import TLSEngine
import TransportSecurity

/// One connection of a `LoadClient`: greeting, EHLO, STARTTLS, then message after message with MAIL, RCPT and DATA in one
/// flush. It fulfils its promise once, when the connection is gone.
final class LoadClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case greeting, hello, startTLS, handshake, securedHello
        case envelope(repliesLeft: Int), endOfData, done
    }

    private var messages: ArraySlice<LoadMessage>
    private let reversePath: String
    private let tls: TLSClientContext?
    private let serverName: DomainName?
    private let patience: Duration
    private let result: EventLoopPromise<LoadClient.Report>
    private var report = LoadClient.Report()
    private var state = State.greeting
    private var replies = ReplyReader()
    private var begun = ContinuousClock.now
    private var timer: Scheduled<Void>?

    init(
        _ messages: ArraySlice<LoadMessage>, reversePath: String, tls: TLSClientContext?, serverName: DomainName?,
        patience: Duration, result: EventLoopPromise<LoadClient.Report>
    ) {
        self.messages = messages
        self.reversePath = reversePath
        self.tls = tls
        self.serverName = serverName
        self.patience = patience
        self.result = result
    }

    func channelActive(context: ChannelHandlerContext) {
        self.restartTimer(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.replies.append(self.unwrapInboundIn(data))
        do throws(ReplyReader.EndlessLine) {
            while let reply = try self.replies.next() { self.received(reply, context) }
        } catch {
            self.end(context, because: "\(error)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        if case .endOfData = self.state, let message = self.messages.first { self.report.inDoubt.append(message.id) }
        if case .done = self.state {} else { self.note("connection lost") }
        self.state = .done
        self.result.succeed(self.report)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .clientHandshake(let outcome)? = event as? TLSEvent else { return }
        switch outcome {
        case .established:
            self.state = .securedHello
            self.send("EHLO load.test\r\n", context)
        case .failed(let failure, _):
            self.end(context, because: failure.text)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.note("\(error)")
        context.close(promise: nil)
    }

    // MARK: The conversation

    private func received(_ reply: SMTPDialog.Reply, _ context: ChannelHandlerContext) {
        let isPositive = reply.isPositive
        switch self.state {
        case .greeting where isPositive:
            self.state = .hello
            self.send("EHLO load.test\r\n", context)
        case .hello where isPositive && self.tls != nil:
            self.state = .startTLS
            self.send("STARTTLS\r\n", context)
        case .startTLS where isPositive: self.startTLS(context)
        case .hello where isPositive, .securedHello where isPositive: self.beginMessage(context)
        case .envelope(let repliesLeft) where repliesLeft > 1 && isPositive:
            self.state = .envelope(repliesLeft: repliesLeft - 1)
        case .envelope(repliesLeft: 1) where reply.code == 354: self.sendContent(context)
        case .endOfData where isPositive: self.acknowledged(context)
        case .envelope, .endOfData: self.refused(reply, context)
        case .greeting, .hello, .startTLS, .handshake, .securedHello: self.end(context, because: reply.lastLine)
        case .done: ()
        }
    }

    private func startTLS(_ context: ChannelHandlerContext) {
        guard let tls = self.tls, self.replies.isEmpty else {
            return self.end(context, because: "bytes behind the 220")
        }
        self.state = .handshake
        do {
            let handler = try TLSHandler.client(tls, .mustEncrypt, serverName: self.serverName)
            try context.pipeline.syncOperations.addHandler(handler, position: .first)
        } catch {
            self.end(context, because: "\(error)")
        }
    }

    private func beginMessage(_ context: ChannelHandlerContext) {
        guard let message = self.messages.first else {
            self.state = .done
            self.send("QUIT\r\n", context)
            return context.close(promise: nil)
        }
        self.restartTimer(context)
        self.begun = .now
        self.state = .envelope(repliesLeft: 3)
        self.send("MAIL FROM:<\(self.reversePath)>\r\nRCPT TO:<\(message.recipient)>\r\nDATA\r\n", context)
    }

    private func sendContent(_ context: ChannelHandlerContext) {
        guard let message = self.messages.first else { return }
        self.state = .endOfData
        self.send(message.content(from: self.reversePath), context)
    }

    private func acknowledged(_ context: ChannelHandlerContext) {
        if let message = self.messages.popFirst() {
            self.report.acknowledged.append(message.id)
            self.report.latencies.append(.now - self.begun)
        }
        self.beginMessage(context)
    }

    /// After a refusal the connection ends: a new one is the surest way to a clean transaction.
    private func refused(_ reply: SMTPDialog.Reply, _ context: ChannelHandlerContext) {
        if let message = self.messages.popFirst() {
            self.report.refused.append(.init(messageID: message.id, reply: reply.lastLine))
        }
        self.state = .done
        context.close(promise: nil)
    }

    private func end(_ context: ChannelHandlerContext, because reason: String) {
        self.note(reason)
        if case .endOfData = self.state {} else { self.state = .done }
        context.close(promise: nil)
    }

    private func note(_ reason: String) { self.report.failures.append(reason) }

    private func send(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(context.channel.allocator.buffer(string: text)), promise: nil)
    }

    private func restartTimer(_ context: ChannelHandlerContext) {
        self.timer?.cancel()
        let (seconds, attoseconds) = self.patience.components
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        ) {
            self.end(context, because: "no answer for \(self.patience)")
        }
    }
}
