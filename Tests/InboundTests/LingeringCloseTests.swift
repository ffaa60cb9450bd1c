import MailModel
import NIOCore
import NIOEmbedded
import Testing

@testable import Inbound

/// The end of a connection: how long the last reply waits for a client that is still sending.
@Suite("Lingering close", .timeLimit(.minutes(1)))
struct LingeringCloseTests {
    private let loop = EmbeddedEventLoop()

    /// Ends one side as a socket does: an embedded channel would end both.
    private final class HalfClosing: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
        }
    }

    /// A connection on which 552 has been said.
    private func channel(
        _ handler: LingeringCloseHandler = LingeringCloseHandler(Array("552 x\r\n".utf8))
    ) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handlers: [HalfClosing(), handler], loop: self.loop)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
        let said = try channel.readOutbound(as: ByteBuffer.self)
        #expect(said.map { String(buffer: $0).prefix(3) } == "552")
        return channel
    }

    private func send(_ count: Int, on channel: EmbeddedChannel) throws {
        try channel.writeInbound(ByteBuffer(repeating: 0x78, count: count))
    }

    @Test("What a client has on its way is dropped, up to a limit in bytes")
    func bytes() throws {
        let channel = try self.channel()
        for _ in 0..<64 { try self.send(1 << 20, on: channel) }
        #expect(channel.isActive)
        try self.send(1, on: channel)
        #expect(!channel.isActive)
    }

    @Test("Who is silent is waited for for 5 s, who goes on sending for 30 s")
    func time() throws {
        let silent = try self.channel()
        self.loop.advanceTime(by: .milliseconds(4_999))
        #expect(silent.isActive)
        self.loop.advanceTime(by: .milliseconds(1))
        #expect(!silent.isActive)
        let slow = try self.channel()
        for _ in 1..<30 {
            self.loop.advanceTime(by: .seconds(1))
            try self.send(1, on: slow)
        }
        #expect(slow.isActive)
        self.loop.advanceTime(by: .seconds(1))
        #expect(!slow.isActive)
    }

    @Test("A client that has ended its side gets the last reply, and then the end (field C14)")
    func halfClosed() throws {
        let ended = try self.channel(LingeringCloseHandler(Array("552 x\r\n".utf8), clientHasEnded: true))
        #expect(!ended.isActive)
        let ends = try self.channel()
        ends.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!ends.isActive)
    }

    @Test("Who is refused is waited for for 5 s at most, and for 256 KiB")
    func refused() throws {
        let reply = SMTPReply(552, nil, "x")
        let slow = try self.channel(LingeringCloseHandler(refusing: reply))
        for _ in 1..<5 {
            self.loop.advanceTime(by: .seconds(1))
            try self.send(1, on: slow)
        }
        #expect(slow.isActive)
        self.loop.advanceTime(by: .seconds(1))
        #expect(!slow.isActive)
        let fast = try self.channel(LingeringCloseHandler(refusing: reply))
        try self.send(256 << 10, on: fast)
        #expect(fast.isActive)
        try self.send(1, on: fast)
        #expect(!fast.isActive)
    }
}
