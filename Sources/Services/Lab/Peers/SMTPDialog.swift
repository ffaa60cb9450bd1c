public import MailModel
import NIOCore
import NIOPosix
import TLSEngine

/// A conversation with an SMTP server, line by line, as a submitting client or a test leads it.
///
/// ```swift
/// try await SMTPDialog.with(port: lab.smtpPort) { smtp in
///     try await smtp.hello()
///     try await smtp.startTLS()
///     let reply = try await smtp.say("VRFY <bob@bravo.test>")
///     let last = try await smtp.submit(from: "alice@alpha.test", to: ["bob@bravo.test"], message)
/// }
/// ```
public struct SMTPDialog: ~Copyable {
    /// What the server said: the lines of one reply, without CR LF.
    public struct Reply: Sendable, CustomStringConvertible {
        /// The lines with their codes.
        public let lines: [String]
        /// The code; 0 if the server said something else.
        public var code: Int { self.lines.last.flatMap { Int($0.prefix(3)) } ?? 0 }
        /// All lines.
        public var description: String { self.lines.joined(separator: "\n") }
        /// The id of `250 … queued as <id>`.
        public var messageID: MessageID? {
            self.lines.last?.split(separator: " ").last.flatMap { MessageID($0) }
        }
    }

    /// The longest line that is read from the server.
    private static let maximumLineLength = 4096

    private let channel: any Channel
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var unread = ByteBuffer()

    /// Connects, reads the greeting, leads the conversation and closes; all of it within `limit`.
    public static func with<Value: Sendable>(
        address: String = "127.0.0.1", port: UInt16, within limit: Duration = .seconds(30),
        _ body: (inout SMTPDialog) async throws -> Value
    ) async throws -> Value {
        try await Self.connected(address: address, port: port, within: limit) { dialog in
            let greeting = try await dialog.readReply()
            try dialog.expect(220, greeting)
            return try await body(&dialog)
        }
    }

    /// As `with`, but the greeting, or whatever else comes, is for `body` to read.
    ///
    /// - Parameter source: the address of this machine to connect from, such as another one of loopback.
    public static func connected<Value: Sendable>(
        from source: String? = nil, address: String = "127.0.0.1", port: UInt16, within limit: Duration = .seconds(30),
        _ body: (inout SMTPDialog) async throws -> Value
    ) async throws -> Value {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(5))
        if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
        let channel =
            try await bootstrap.connect(host: address, port: Int(port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        // The deadline closes the channel, and that ends whatever waits for it.
        let deadline = channel.channel.eventLoop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) {
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        return try await channel.executeThenClose { inbound, outbound in
            var dialog = SMTPDialog(
                channel: channel.channel, outbound: outbound, inbound: inbound.makeAsyncIterator())
            return try await body(&dialog)
        }
    }

    /// Says one line, without its CR LF, and reads the reply, whatever it is.
    @discardableResult
    public mutating func say(_ line: String) async throws -> Reply {
        try await self.send("\(line)\r\n")
        return try await self.readReply()
    }

    /// Sends text as it is; no reply is read.
    public mutating func send(_ text: String) async throws {
        try await self.outbound.write(ByteBuffer(string: text))
    }

    /// Sends bytes as they are, whatever they hold; no reply is read.
    public mutating func send(_ bytes: [UInt8]) async throws {
        try await self.outbound.write(ByteBuffer(bytes: bytes))
    }

    /// EHLO; fails unless it is answered 250.
    @discardableResult
    public mutating func hello(_ name: String = "client.test") async throws -> Reply {
        let reply = try await self.say("EHLO \(name)")
        try self.expect(250, reply)
        return reply
    }

    /// STARTTLS, the handshake (any certificate will do) and EHLO again.
    public mutating func startTLS(serverName: DomainName? = nil) async throws {
        try await self.secure(serverName: serverName)
        try await self.hello()
    }

    /// STARTTLS and the handshake; nothing is said after it.
    public mutating func secure(serverName: DomainName? = nil) async throws {
        let ready = try await self.say("STARTTLS")
        try self.expect(220, ready)
        let context = try TLSClientContext()
        let channel = self.channel
        let outcome = channel.eventLoop.makePromise(of: Void.self)
        try await channel.eventLoop.submit {
            // The outcome is awaited, since nothing may be written before it.
            do {
                let tls = try TLSHandler.client(context, .encrypt(serverName: serverName))
                try channel.pipeline.syncOperations.addHandlers([tls, HandshakeOutcome(outcome)], position: .first)
            } catch {
                outcome.fail(error)
            }
        }.get()
        try await outcome.futureResult.get()
    }

    /// MAIL, RCPT and DATA; returns the first reply that is a refusal, or the one to the final dot.
    public mutating func submit(
        from reversePath: String, to recipients: [String], _ message: String
    ) async throws -> Reply {
        for line in ["MAIL FROM:<\(reversePath)>"] + recipients.map({ "RCPT TO:<\($0)>" }) {
            let reply = try await self.say(line)
            guard reply.code == 250 else { return reply }
        }
        let goAhead = try await self.say("DATA")
        guard goAhead.code == 354 else { return goAhead }
        try await self.send(Self.stuffed(message))
        return try await self.readReply()
    }

    /// Reads one reply.
    public mutating func readReply() async throws -> Reply {
        var lines: [String] = []
        while true {
            let line = try await self.readLine()
            lines.append(line)
            guard line.dropFirst(3).first == "-" else { return Reply(lines: lines) }
        }
    }

    // MARK: Bytes

    private mutating func readLine() async throws -> String {
        while true {
            if let end = self.unread.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
                let line = self.unread.readString(length: end - self.unread.readerIndex + 1)
            {
                return line.trimmingSuffix { $0.isNewline }
            }
            guard self.unread.readableBytes <= Self.maximumLineLength else { throw LabFailure("a line without end") }
            guard var part = try await self.inbound.next(isolation: #isolation) else {
                throw LabFailure("the server closed the connection, or took too long")
            }
            self.unread.writeBuffer(&part)
        }
    }

    private func expect(_ code: Int, _ reply: Reply) throws(LabFailure) {
        guard reply.code == code else { throw LabFailure("expected \(code), the server said \(reply)") }
    }

    /// With CR LF at the end of each line, dots doubled (RFC 5321 §4.5.2), and the final dot.
    private static func stuffed(_ message: String) -> String {
        let lines = message.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        return lines.map { $0.hasPrefix(".") ? ".\($0)\r\n" : "\($0)\r\n" }.joined() + ".\r\n"
    }
}

extension String {
    fileprivate func trimmingSuffix(while condition: (Character) -> Bool) -> String {
        var rest = self[...]
        while let last = rest.last, condition(last) { rest.removeLast() }
        return String(rest)
    }
}

/// Tells a promise how the handshake ended.
private final class HandshakeOutcome: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .clientHandshake(.failed(let failure, _)): self.promise.fail(failure)
        case .clientHandshake: self.promise.succeed()
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.fail(LabFailure("the server closed the connection in the handshake"))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.promise.fail(LabFailure("the connection ended in the handshake"))
    }
}
