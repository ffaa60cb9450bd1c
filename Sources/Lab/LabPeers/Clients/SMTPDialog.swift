import LabSupport
public import MailModel
import NIOCore
import NIOPosix
import SMTPProtocol
import Synchronization
import TLSEngine
import TransportSecurity

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
        /// The last line, which says what counts.
        public var lastLine: String { self.lines.last ?? "" }
        /// Whether the code is 2yz.
        public var isPositive: Bool { self.lines.last?.utf8.first == UInt8(ascii: "2") }
        /// All lines.
        public var description: String { self.lines.joined(separator: "\n") }
        /// The id of `250 … queued as <id>`.
        public var messageID: MessageID? {
            self.lines.last?.split(separator: " ").last.flatMap { MessageID($0) }
        }
    }

    private let channel: any Channel
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let deadline: Deadline
    private var replies = ReplyReader()

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
            // A server that has ended its side can be sent more, as a client does that has not looked yet.
            .channelOption(.allowRemoteHalfClosure, value: true)
        if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
        let channel =
            try await bootstrap.connect(host: address, port: Int(port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let deadline = Deadline(limit, of: channel.channel)
        defer { deadline.cancel() }
        return try await channel.executeThenClose { inbound, outbound in
            var dialog = SMTPDialog(
                channel: channel.channel, outbound: outbound, inbound: inbound.makeAsyncIterator(),
                deadline: deadline)
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

    /// Sends text again and again, with a pause between two, until the task is cancelled or the connection is closed.
    func dripping(_ text: String, every pause: Duration) -> Task<Void, Never> {
        Task { [outbound = self.outbound] in
            while !Task.isCancelled, (try? await outbound.write(ByteBuffer(string: text))) != nil {
                try? await Task.sleep(for: pause)
            }
        }
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
                let tls = try TLSHandler.client(context, .mustEncrypt, serverName: serverName)
                try channel.pipeline.syncOperations.addHandlers([tls, HandshakeOutcome(outcome)], position: .first)
            } catch {
                outcome.fail(error)
            }
        }.get()
        try await outcome.futureResult.get()
    }

    /// MAIL, RCPT and DATA; returns the first reply that is a refusal, or the one to the final dot.
    ///
    /// - Parameters:
    ///   - message: header and body, with LF or CRLF.
    ///   - parameters: what to say behind MAIL and behind each RCPT.
    public mutating func submit(
        from reversePath: String, to recipients: [String], _ message: some Collection<UInt8>,
        parameters: (mail: String, recipient: String) = ("", "")
    ) async throws -> Reply {
        let commands =
            [("MAIL FROM:<\(reversePath)>", parameters.mail)]
            + recipients.map { ("RCPT TO:<\($0)>", parameters.recipient) }
        for (command, words) in commands {
            let reply = try await self.say(words.isEmpty ? command : "\(command) \(words)")
            guard reply.code == 250 else { return reply }
        }
        let goAhead = try await self.say("DATA")
        guard goAhead.code == 354 else { return goAhead }
        try await self.send(Self.stuffed(Array(message)))
        return try await self.readReply()
    }

    /// The same for text.
    public mutating func submit(
        from reversePath: String, to recipients: [String], _ message: String
    ) async throws -> Reply {
        try await self.submit(from: reversePath, to: recipients, message.utf8)
    }

    /// Reads one reply; fails if the server ends the connection instead.
    public mutating func readReply() async throws -> Reply {
        guard let reply = try await self.nextReply() else { throw LabFailure("the server closed the connection") }
        return reply
    }

    /// Reads one reply; `nil` when the server has ended the connection in the way that TCP, and TLS if there is, foresees.
    public mutating func nextReply() async throws -> Reply? {
        while true {
            if let reply = try self.replies.next() { return reply }
            guard let part = try await self.inbound.next(isolation: #isolation) else {
                guard !self.deadline.isOver else { throw LabFailure("the server took too long") }
                return nil
            }
            self.replies.append(part)
        }
    }

    /// Ends our side of the connection, that of TLS with close_notify; replies can still be read.
    public mutating func endSending() async throws { try await self.channel.close(mode: .output) }

    /// Closes the connection. Nothing can be said or read after it.
    public mutating func hangUp() async { try? await self.channel.close() }

    // MARK: Bytes

    private func expect(_ code: Int, _ reply: Reply) throws(LabFailure) {
        guard reply.code == code else { throw LabFailure("expected \(code), the server said \(reply)") }
    }

    /// With CR LF at the end of each line, dots doubled (RFC 5321 §4.5.2), and the final dot.
    private static func stuffed(_ message: [UInt8]) -> [UInt8] {
        var encoder = SMTPDataEncoder()
        var bytes: [UInt8] = []
        encoder.encode(message.span, into: &bytes)
        encoder.finish(into: &bytes)
        return bytes
    }
}

/// The time for a whole dialog. When it is over the channel is closed, which ends whatever waits for it.
private final class Deadline: Sendable {
    private let hasPassed = Atomic(false)
    private let task = Mutex<Scheduled<Void>?>(nil)

    init(_ limit: Duration, of channel: any Channel) {
        let task = channel.eventLoop.scheduleTask(in: TimeAmount(limit)) {
            self.hasPassed.store(true, ordering: .relaxed)
            channel.close(promise: nil)
        }
        self.task.withLock { $0 = task }
    }

    var isOver: Bool { self.hasPassed.load(ordering: .relaxed) }

    func cancel() { self.task.withLock { $0?.cancel() } }
}

/// Tells a promise how the handshake ended; and whoever reads, if TLS is cut off after it.
private final class HandshakeOutcome: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .clientHandshake(.failed(let failure, _)): self.promise.fail(failure)
        case .clientHandshake: self.promise.succeed()
        case .truncated: context.fireErrorCaught(LabFailure("the server ended the connection without an end of TLS"))
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
