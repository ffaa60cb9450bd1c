import Cryptography
import DNSModel
import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

@Suite("The TLS handler", .timeLimit(.minutes(3)))
struct HandlerTests {
    let pki: TestPKI
    let leaf: TestPKI.Leaf
    init() throws {
        self.pki = try TestPKI()
        self.leaf = try self.pki.leaf("mx.example.test")
    }

    private func pair() throws -> EmbeddedPair {
        try EmbeddedPair(.dane(self.leaf.tlsaRecord(.daneEE, .spki, .sha256)), self.pki.store(self.leaf))
    }

    @Test("A transport of any grain carries handshake and data", arguments: [1, 7, 1000, Int.max])
    func grain(_ chunk: Int) throws {
        let pair = try self.pair()
        try pair.exchange(chunk: chunk)
        pair.client.send("EHLO client\r\n")
        pair.server.send("250 server\r\n")
        try pair.exchange(chunk: chunk)
        #expect(pair.server.recorder.bytes == Array("EHLO client\r\n".utf8))
        #expect(pair.client.recorder.bytes == Array("250 server\r\n".utf8))
        #expect(pair.client.recorder.bytesBeforeOutcome + pair.server.recorder.bytesBeforeOutcome == 0)
    }

    @Test("A write before the outcome fails; it is never sent")
    func earlyWrite() throws {
        let pair = try self.pair()
        let written = pair.client.channel.writeAndFlush(ByteBuffer(string: "early"))
        #expect(throws: TLSFailure.self) { try written.wait() }
        try pair.exchange()
        #expect(pair.server.recorder.bytes.isEmpty)
    }

    @Test("All plaintext of one flush leaves as one write")
    func coalescing() throws {
        let pair = try self.pair()
        try pair.exchange()
        let writes = (0..<100).map { pair.client.channel.write(ByteBuffer(string: "line \($0)\r\n")) }
        #expect(try pair.client.output().isEmpty)
        pair.client.channel.flush()
        let output = try pair.client.output()
        #expect(output.count == 1)
        for write in writes { try write.wait() }
        try pair.server.channel.writeInbound(output[0])
        #expect(pair.server.recorder.bytes.count == (0..<100).map { "line \($0)\r\n".utf8.count }.reduce(0, +))
    }

    @Test("Closing sends close_notify, which the peer is told")
    func closeNotify() throws {
        let pair = try self.pair()
        try pair.exchange()
        pair.client.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.server.recorder.events.last == .closedByPeer)
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.recorder.events.last == .closedByPeer, "nothing was cut off")
    }

    @Test("hostile-input 22: the end of the transport without close_notify is a truncation (RFC 8446 §6.1)")
    func truncation() throws {
        let pair = try self.pair()
        try pair.exchange()
        pair.server.channel.pipeline.fireChannelInactive()
        guard case .truncated(let failure) = pair.server.recorder.events.last else {
            Issue.record("not told: \(pair.server.recorder.events)")
            return
        }
        #expect(failure.reason == .truncated)
    }

    @Test("A server still answers a client whose transport ended without close_notify (field C14)")
    func answerAfterTruncation() throws {
        let pair = try self.pair()
        try pair.exchange()
        pair.server.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        guard case .truncated = pair.server.recorder.events.last else {
            Issue.record("not told: \(pair.server.recorder.events)")
            return
        }
        pair.server.send("250 OK")
        try pair.exchange()
        #expect(pair.client.recorder.bytes == Array("250 OK".utf8))
    }

    @Test("The end of the transport in the handshake is an outcome", arguments: [0, 1, 100])
    func endInHandshake(_ bytes: Int) throws {
        let pair = try self.pair()
        var reply: [ByteBuffer] = []
        for hello in try pair.client.output() { try pair.server.channel.writeInbound(hello) }
        reply = try pair.server.output()
        if bytes > 0, let part = reply.first?.getSlice(at: 0, length: bytes) {
            try pair.client.channel.writeInbound(part)
        }
        pair.client.channel.pipeline.fireChannelInactive()
        guard case .failed(let failure, _) = pair.client.recorder.clientOutcome else {
            Issue.record("no outcome")
            return
        }
        #expect(failure.reason == .truncated)
        #expect(pair.client.recorder.events.count == 1)
    }

    @Test("A reset in the handshake is an outcome too, though whoever hears of it closes at once")
    func resetInHandshake() throws {
        let pair = try self.pair()
        _ = try pair.client.output()
        pair.client.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
        pair.client.channel.close(promise: nil)
        guard case .failed(let failure, _) = pair.client.recorder.clientOutcome else {
            Issue.record("no outcome")
            return
        }
        #expect(failure.reason == .truncated)
        #expect(pair.client.recorder.events.count == 1)
    }

    /// A transport that turns out to have ended as soon as something is sent, and what is heard of that behind TLS.
    private final class BrokenTransport: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        func flush(context: ChannelHandlerContext) { context.fireChannelInactive() }
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private(set) var heard: [String] = []
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is TLSEvent { self.heard.append("outcome") }
        }
        func channelInactive(context: ChannelHandlerContext) { self.heard.append("end") }
    }

    @Test("The outcome comes before the end of the transport, even if the alert cannot be sent any more")
    func alertOnBrokenTransport() throws {
        let other = try self.pki.leaf("mx.example.test")
        let pair = try EmbeddedPair(.dane(other.tlsaRecord(.daneEE, .spki, .sha256)), self.pki.store(self.leaf))
        let (channel, listener) = (pair.client.channel, Listener())
        try channel.pipeline.syncOperations.addHandler(listener)
        for hello in try pair.client.output() { try pair.server.channel.writeInbound(hello) }
        try channel.pipeline.syncOperations.addHandler(BrokenTransport(), position: .first)
        for reply in try pair.server.output() { try channel.writeInbound(reply) }
        #expect(listener.heard.first == "outcome" && listener.heard.count { $0 == "outcome" } == 1)
    }

    @Test(
        "Garbage instead of TLS is malformed or a disagreement, and ends the connection",
        arguments: ["220 mx.example.test ESMTP\r\n", "GET / HTTP/1.0\r\n\r\n", String(repeating: "\0", count: 100)])
    func garbage(_ text: String) throws {
        let pair = try self.pair()
        try pair.client.channel.writeInbound(ByteBuffer(string: text))
        guard case .failed(let failure, _) = pair.client.recorder.clientOutcome else {
            Issue.record("no outcome")
            return
        }
        #expect([.malformed, .disagreement].contains(failure.reason), "\(failure)")
        #expect(!pair.client.channel.isActive)
        try pair.server.channel.writeInbound(ByteBuffer(string: text))
        guard case .failed = pair.server.recorder.serverOutcome else {
            Issue.record("no outcome")
            return
        }
        #expect(!pair.server.channel.isActive)
    }

    @Test("A flipped bit in the data ends the connection, and nothing of that record passes")
    func tampering() throws {
        let pair = try self.pair()
        try pair.exchange()
        pair.client.send("MAIL FROM:<>\r\n")
        var record = try #require(try pair.client.output().first)
        let last = record.writerIndex - 1
        record.setInteger((record.getInteger(at: last, as: UInt8.self) ?? 0) ^ 1, at: last)
        try pair.server.channel.writeInbound(record)
        #expect(pair.server.recorder.bytes.isEmpty)
        #expect(!pair.server.channel.isActive)
    }

    @Test("A chain over the limit is refused (hostile-input 22)")
    func endlessChain() throws {
        let long = self.leaf.presenting(
            [self.leaf.certificate] + Array(repeating: self.pki.intermediate.certificate, count: 1000))
        let record = self.pki.anchorRecord
        for (count, requirement) in [(1000, TLSRequirement.dane(record)), (1000, .mustEncrypt)] {
            let pair = try EmbeddedPair(requirement, self.pki.store(long))
            try pair.exchange()
            guard case .failed(let failure, _) = pair.client.recorder.clientOutcome else {
                Issue.record("a chain of \(count) was taken")
                continue
            }
            #expect(failure.reason == .limitExceeded)
        }
        // Under the limit in bytes, over the limit in number.
        let many = self.leaf.presenting(
            [self.leaf.certificate] + Array(repeating: self.pki.intermediate.certificate, count: 40))
        let pair = try EmbeddedPair(.dane(record), self.pki.store(many))
        try pair.exchange()
        guard case .failed(let failure, _) = pair.client.recorder.clientOutcome else {
            Issue.record("a chain of 41 was taken")
            return
        }
        #expect(failure.reason == .chainBeyondLimit)
    }

    @Test("Without automatic reading, TLS reads what it needs itself and asks no more than that")
    func readsOnDemand() throws {
        let counter = ReadCounter()
        let client = try Endpoint(.client(TLSClientContext(), .mustEncrypt))
        try client.channel.syncOptions?.setOption(.autoRead, value: false)
        try client.channel.pipeline.syncOperations.addHandler(counter, position: .first)
        let server = try Endpoint(.server(self.pki.store(self.leaf)))
        let join = { (from: Endpoint, to: Endpoint) in
            for buffer in try from.output() { try to.channel.writeInbound(buffer) }
        }
        try join(client, server)
        let before = counter.reads
        try client.channel.writeInbound(try #require(try server.output().first?.readSlice(100)))
        #expect(counter.reads > before, "the handshake goes on by itself")
    }

    @Test("Bytes read before the handler was added are given to it")
    func firstBytes() throws {
        let client = try Endpoint(.client(TLSClientContext(), .mustEncrypt))
        let hello = try #require(try client.output().first)
        let server = try Endpoint(.server(self.pki.store(self.leaf), firstBytes: hello))
        for buffer in try server.output() { try client.channel.writeInbound(buffer) }
        guard case .established(.none, _) = client.recorder.clientOutcome else {
            Issue.record("no handshake")
            return
        }
    }
}

/// Counts how often the channel is asked to read.
private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var reads = 0

    func read(context: ChannelHandlerContext) {
        self.reads += 1
        context.read()
    }
}

extension ByteBuffer {
    fileprivate func readSlice(_ length: Int) -> ByteBuffer? { self.getSlice(at: self.readerIndex, length: length) }
}
