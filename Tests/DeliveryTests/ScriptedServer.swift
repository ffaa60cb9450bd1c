import DNSModel
import DeliveryQueue
import MailModel
import NIOCore
import NIOEmbedded
import SMTPProtocol
import TLSEngine
import TestLiterals
import TransportSecurity

@testable import Delivery

/// A receiving host that says what the test lets it say, to our outbound connection, without sockets and on a clock that
/// the test moves.
final class ScriptedServer {
    let channel = EmbeddedChannel()
    let connection: OutboundConnection
    private(set) var opened: OutboundConnection.Opened?
    private(set) var begun: OutboundConnection.Begun?
    private(set) var finished: OutboundConnection.Ended?

    init(
        _ tls: TLSRequirement = .opportunistic, offer: TLSOffer = .full,
        patience: @escaping (ConnectionPhase) -> ConnectionAdmission.Patience = { _ in .stay }
    ) throws {
        let promise = self.channel.eventLoop.makePromise(of: OutboundConnection.Opened.self)
        self.connection = OutboundConnection(
            requirement: AttemptRequirement(tls: tls, serverName: "mx.bravo.test"),
            tls: try TLSClientContext(), offer: offer, helloName: "relay.test",
            usesChunking: true, timeouts: SMTPTimeouts(), opened: promise, patience: patience)
        promise.futureResult.assumeIsolated().whenSuccess { self.opened = $0 }
        try self.channel.pipeline.syncOperations.addHandler(self.connection)
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/server")).wait()
    }

    /// Says these lines in one segment.
    func say(_ lines: String...) throws {
        try self.channel.writeInbound(ByteBuffer(string: lines.map { "\($0)\r\n" }.joined()))
    }

    /// What the client has said since the last question, line by line.
    func heard() throws -> [String] {
        var text = ""
        while let buffer = try self.channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text.split(separator: "\r\n").map(String.init)
    }

    /// Takes nothing more from the connection, so that what the client writes stays on its way.
    func stopReading() throws {
        try self.channel.pipeline.syncOperations.addHandler(ClosedWindow(), position: .first)
    }

    /// Silence for so long.
    func wait(_ seconds: Int64) { self.channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    /// Ends the connection.
    func hangUp() { self.channel.close(promise: nil) }

    /// A connection that is ready for mail.
    static func ready() throws -> ScriptedServer {
        let server = try ScriptedServer()
        try server.say("220 mx.bravo.test")
        try server.say("250-mx.bravo.test", "250 PIPELINING")
        _ = try server.heard()
        return server
    }

    /// A connection whose message waits for its content.
    static func transferring() throws -> ScriptedServer {
        let server = try Self.ready()
        server.begin("bob@bravo.test")
        try server.say("250 OK", "250 OK", "354 Go")
        _ = try server.heard()
        return server
    }

    /// A connection whose message, of so many bytes, goes in chunks.
    static func chunking(size: Int) throws -> ScriptedServer {
        let server = try ScriptedServer()
        try server.say("220 mx.bravo.test")
        try server.say("250-mx.bravo.test", "250-CHUNKING", "250 PIPELINING")
        server.begin("bob@bravo.test", size: size)
        try server.say("250 OK", "250 OK")
        _ = try server.heard()
        return server
    }

    func begin(_ recipients: Mailbox..., size: Int = 100) { self.begin(recipients, size: size) }

    func begin(_ recipients: [Mailbox], size: Int = 100) {
        let message = SMTPClientMessage(
            reversePath: .mailbox("alice@alpha.test"), recipients: recipients.map { EnvelopeRecipient(.mailbox($0)) },
            body: .sevenBit, size: size)
        self.connection.begin(message, on: self.channel.eventLoop).assumeIsolated().whenSuccess { self.begun = $0 }
    }

    func finish(isPermitted: Bool = true) {
        self.connection.finish(on: self.channel.eventLoop, orBecause: "the lease is too short") { isPermitted }
            .assumeIsolated().whenSuccess { self.finished = $0 }
    }

    var openingFailure: HostFailure? { if case .failed(let failure) = self.opened { failure } else { nil } }
    var finishingFailure: HostFailure? { self.finished?.failure }
    var beginningFailure: HostFailure? { if case .ended(let ended) = self.begun { ended.failure } else { nil } }
    /// The connection to the same host that is to follow, and why.
    var retry: (offer: TLSOffer, failure: TLSFailure)? {
        if case .retry(let offer, let failure) = self.opened { (offer, failure) } else { nil }
    }
    var isReady: Bool { if case .ready = self.opened { true } else { false } }
    var waitsForContent: Bool { if case .transferContent = self.begun { true } else { false } }
    var outcomes: [AttemptOutcome?]? { self.finished.flatMap { $0.failure == nil ? $0.outcomes : nil } }
}

/// A peer whose window is closed: what is written is on its way until the connection ends.
private final class ClosedWindow: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private var writes: [EventLoopPromise<Void>] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if let promise { self.writes.append(promise) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        for write in self.writes { write.fail(ChannelError.ioOnClosedChannel) }
        self.writes = []
        context.close(mode: mode, promise: promise)
    }
}
