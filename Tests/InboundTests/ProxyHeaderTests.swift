import MailModel
import NIOCore
import NIOEmbedded
import SMTPProtocol
import Testing

@testable import Inbound

/// The handler that stands in front of a proxied connection (hostile-input 16).
@Suite("PROXY protocol in front of a connection")
struct ProxyHeaderTests {
    /// Keeps what is handed on behind the header.
    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var text = ""
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text += String(buffer: Self.unwrapInboundIn(data))
        }
    }

    private struct Proxied {
        let channel = EmbeddedChannel()
        let recorder = Recorder()
        let found = Found()
        final class Found { var header: ProxyProtocolHeader? }

        init() throws {
            let (recorder, found) = (self.recorder, self.found)
            try self.channel.pipeline.syncOperations.addHandler(
                ProxyHeaderHandler(within: .seconds(5)) { header, context in
                    found.header = header
                    // The pipeline of a test takes every handler.
                    _ = try? context.channel.pipeline.syncOperations.addHandler(recorder)
                })
            try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/proxy")).wait()
        }

        func send(_ bytes: [UInt8]) throws { try self.channel.writeInbound(ByteBuffer(bytes: bytes)) }
        func end() { _ = try? self.channel.finish(acceptAlreadyClosed: true) }
    }

    private static let header: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12]
        + [192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 25]

    @Test(
        "The bytes behind the header are the connection's, whether they come whole or one by one", arguments: [1, 100])
    func handedOn(chunk: Int) throws {
        let proxied = try Proxied()
        defer { proxied.end() }
        let bytes = Self.header + Array("EHLO client.test\r\n".utf8)
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            try proxied.send(Array(bytes[start..<min(start + chunk, bytes.count)]))
        }
        #expect(proxied.found.header == .proxied(client: .v4(0xC000_0207), port: 12_345))
        #expect(proxied.recorder.text == "EHLO client.test\r\n")
        // It is gone, and its deadline with it.
        proxied.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(proxied.channel.isActive)
    }

    @Test("A header that does not come within its time, or is none, ends the connection without a word")
    func refused() throws {
        let silent = try Proxied()
        defer { silent.end() }
        try silent.send(Array(Self.header.prefix(15)))
        silent.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4900))
        #expect(silent.channel.isActive)
        silent.channel.embeddedEventLoop.advanceTime(by: .milliseconds(200))
        #expect(!silent.channel.isActive)

        let wrong = try Proxied()
        defer { wrong.end() }
        try wrong.send(Array("EHLO client.test\r\n".utf8))
        #expect(!wrong.channel.isActive)
        #expect(try wrong.channel.readOutbound(as: ByteBuffer.self) == nil)
    }
}
