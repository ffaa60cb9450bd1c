import DANE
import DNSModel
import Foundation
import LabPeers
import MailModel
import NIOCore
import NIOPosix
import Synchronization
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

/// Sends back what it gets, and stops reading while the peer does not.
final class Echo: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.channel.setOption(.autoRead, value: context.channel.isWritable).whenFailure { _ in }
        context.fireChannelWritabilityChanged()
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSEvent.closedByPeer? = event as? TLSEvent { context.close(promise: nil) }
    }
}

/// Our server on a loopback port, echoing.
struct EchoServer {
    let channel: any Channel
    var port: Int { self.channel.localAddress?.port ?? 0 }

    init(_ store: ServerCertificateStore, group: any EventLoopGroup) async throws {
        self.channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([TLSHandler.server(store), Echo()])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func stop() async { try? await self.channel.close() }
}

/// What a client saw: its outcome, and what came back for what it sent.
struct Visit: Sendable {
    var outcome: TLSClientOutcome?
    var received: [UInt8] = []
    var truncation: TLSFailure?
}

/// Sends `message` after a good outcome, and closes when `expected` bytes have come back.
final class Visitor: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let message: ByteBuffer
    private let expected: Int
    private var visit = Visit()
    private let done: EventLoopPromise<Visit>

    init(_ message: ByteBuffer, expecting expected: Int, _ done: EventLoopPromise<Visit>) {
        self.message = message
        self.expected = expected
        self.done = done
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .clientHandshake(let outcome):
            self.visit.outcome = outcome
            if case .failed = outcome { return }
            if self.expected == 0 { return context.close(promise: nil) }
            context.writeAndFlush(NIOAny(self.message), promise: nil)
        case .truncated(let failure): self.visit.truncation = failure
        case .closedByPeer: context.close(promise: nil)
        case .serverHandshake, nil: ()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.visit.received += Self.unwrapInboundIn(data).readableBytesView
        if self.visit.received.count >= self.expected { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) { self.done.succeed(self.visit) }
}

/// Visits a server on loopback with our client; gives up after half a minute.
func visit(
    port: Int, _ requirement: TLSRequirement, serverName: DomainName? = nil, by context: TLSClientContext? = nil,
    sending message: [UInt8] = [], expecting expected: Int? = nil,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
) async throws -> Visit {
    let context = try context ?? TLSClientContext()
    let loop = group.next()
    let done = loop.makePromise(of: Visit.self)
    let channel = try await ClientBootstrap(group: loop)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let visitor = Visitor(ByteBuffer(bytes: message), expecting: expected ?? message.count, done)
                let handler = try TLSHandler.client(context, requirement, serverName: serverName)
                try channel.pipeline.syncOperations.addHandlers([handler, visitor])
            }
        }
        .connect(host: "127.0.0.1", port: port).get()
    let deadline = loop.scheduleTask(in: .seconds(30)) { channel.close(promise: nil) }
    defer { deadline.cancel() }
    return try await done.futureResult.get()
}

@Suite("Our client and our server over real sockets", .timeLimit(.minutes(2)))
struct LoopbackTests {
    let pki: TestPKI
    let leaf: TestPKI.Leaf
    init() throws {
        self.pki = try TestPKI()
        self.leaf = try self.pki.leaf("mx.example.test")
    }

    @Test("Ten mebibytes go both ways unharmed, with back-pressure")
    func bulk() async throws {
        let server = try await EchoServer(self.pki.store(self.leaf), group: MultiThreadedEventLoopGroup.singleton)
        let message = (0..<(10 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let visit = try await visit(port: server.port, .dane(self.pki.anchorRecord), sending: message)
        await server.stop()
        guard case .established(.dane(let peer), _) = visit.outcome else {
            Issue.record("not verified: \(String(describing: visit.outcome))")
            return
        }
        #expect(peer.matched == self.pki.anchorRecord)
        #expect(visit.received == message)
    }

    @Test("A refused server never sees a byte and the client's channel closes")
    func refusal() async throws {
        let server = try await EchoServer(self.pki.store(self.leaf), group: MultiThreadedEventLoopGroup.singleton)
        let visit = try await visit(port: server.port, .dane(self.pki.anchorRecord.wrong), sending: [1, 2, 3])
        await server.stop()
        guard case .failed(let failure, _) = visit.outcome else {
            Issue.record("not refused")
            return
        }
        #expect(failure.reason == .noRecordMatched)
        #expect(visit.received.isEmpty)
    }

    @Test("Every handshake succeeds while certificates are swapped, with one or the other")
    func swapping() async throws {
        let other = try self.pki.leaf("mx.example.test")
        let store = try self.pki.store(self.leaf)
        let server = try await EchoServer(store, group: MultiThreadedEventLoopGroup.singleton)
        let port = server.port
        let records = [self.leaf, other].map { $0.tlsaRecord(.daneEE, .spki, .sha256) }
        let requirement = TLSRequirement.dane(records[0], records[1])
        let verified = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<10 {
                        let visit = try await visit(port: port, requirement, sending: [42])
                        guard case .established(.dane, _) = visit.outcome, visit.received == [42] else { return false }
                    }
                    return true
                }
            }
            for turn in 0..<50 {
                try store.replace([(turn % 2 == 0 ? other : self.leaf).serverCertificate()], clients: nil)
                try await Task.sleep(for: .milliseconds(1))
            }
            return try await group.reduce(true) { $0 && $1 }
        }
        await server.stop()
        #expect(verified)
    }
}
