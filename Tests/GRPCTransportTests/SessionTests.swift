import NIOCore
import Testing

@testable import GRPCTransport

/// The session over nghttp2, without sockets (control 20, 25 to 30).
@Suite("HTTP/2 sessions")
struct SessionTests {
    /// A pair with one request open at the server.
    private func opened(
        _ limits: HTTP2Limits = HTTP2Limits(), list: HeaderList = SessionPair.request
    ) throws -> (SessionPair, HTTP2StreamID) {
        let pair = try SessionPair(client: limits, server: limits)
        let stream = try #require(pair.client.request(list))
        pair.run()
        return (pair, stream)
    }

    private func bytes(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: 7, count: count) }

    private func data(_ events: [HTTP2Event]) -> Int {
        events.reduce(0) { sum, event in if case .data(_, let bytes) = event { sum + bytes.readableBytes } else { sum }
        }
    }

    @Test("A call passes whole and byte by byte", arguments: [false, true])
    func call(_ byteByByte: Bool) throws {
        let pair = try SessionPair()
        let stream = try #require(pair.client.request(SessionPair.request))
        pair.client.write(stream, self.bytes(10))
        pair.client.end(stream, .endStream)
        pair.run(byteByByte: byteByByte)
        #expect(pair.serverEvents.contains(.headers(stream, SessionPair.request, endStream: false)))
        #expect(self.data(pair.serverEvents) == 10)
        #expect(pair.serverEvents.contains(.endStream(stream)))
        pair.server.respond(stream, SessionPair.response)
        pair.server.write(stream, self.bytes(20))
        pair.server.end(stream, .trailers(["grpc-status": "0"]))
        pair.run(byteByByte: byteByByte)
        #expect(pair.clientEvents.contains(.headers(stream, SessionPair.response, endStream: false)))
        #expect(self.data(pair.clientEvents) == 20)
        #expect(pair.clientEvents.contains(.headers(stream, ["grpc-status": "0"], endStream: true)))
        #expect(pair.clientEvents.last == .closed(stream, .noError))
        #expect(pair.serverEvents.last == .closed(stream, .noError))
    }

    @Test(
        "control 20, 27: trailers before the client's end are followed by RST_STREAM(NO_ERROR)",
        arguments: [true, false])
    func earlyTrailers(_ trailersOnly: Bool) throws {
        let (pair, stream) = try self.opened()
        pair.forgetEvents()
        if trailersOnly {
            pair.server.respondOnly(stream, [":status": "200", "grpc-status": "5"])
        } else {
            pair.server.respond(stream, SessionPair.response)
            pair.server.write(stream, self.bytes(100_000))
            pair.server.end(stream, .trailers(["grpc-status": "0"]))
        }
        pair.run()
        for _ in 0..<3 {
            pair.client.consume(stream, 1 << 16)
            pair.client.consumeConnection(1 << 16)
            pair.run()
        }
        let frames = Frame.read(pair.fromServer)
        let trailers = try #require(frames.lastIndex { $0.type == 1 && $0.flags & 1 == 1 })
        let reset = try #require(frames.lastIndex { $0.type == 3 })
        #expect(trailers < reset)
        #expect(frames[reset].payload == [0, 0, 0, 0])
        #expect(
            pair.clientEvents.contains { if case .headers(stream, _, endStream: true) = $0 { true } else { false } })
        #expect(pair.clientEvents.last == .closed(stream, .noError))
    }

    @Test("control 20: after the client's end no reset follows the trailers")
    func lateTrailers() throws {
        let (pair, stream) = try self.opened()
        pair.client.end(stream, .endStream)
        pair.run()
        pair.server.respondOnly(stream, [":status": "200", "grpc-status": "0"])
        pair.run()
        #expect(!Frame.read(pair.fromServer).contains { $0.type == 3 })
    }

    @Test("control 25: settings forbid push and priorities, and bound streams, windows and header lists")
    func settings() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 7
        let pair = try SessionPair(client: limits, server: limits)
        pair.run()
        func settings(_ buffer: ByteBuffer) throws -> [UInt16: UInt32] {
            let payload = try #require(Frame.read(buffer).first { $0.type == 4 }).payload
            return Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: payload.count, by: 6).map { place in
                    let number = payload[place + 2..<place + 6].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                    return (UInt16(payload[place]) << 8 | UInt16(payload[place + 1]), number)
                })
        }
        #expect(try settings(pair.fromServer) == [3: 7, 4: 262_144, 6: 8_192, 9: 1])
        #expect(try settings(pair.fromClient) == [2: 0, 4: 262_144, 6: 8_192, 9: 1])
    }

    @Test("control 18: a header list beyond 8 KiB, counted with 32 a field, is told without its fields")
    func headerList() throws {
        func list(_ extra: Int) -> HeaderList {
            var list = SessionPair.request
            let size = list.fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
            list.append("x", String(repeating: "v", count: 8 * 1024 - size - 33 + extra))
            return list
        }
        let (fits, stream) = try self.opened(list: list(0))
        #expect(fits.serverEvents.contains(.headers(stream, list(0), endStream: false)))
        let (large, largeStream) = try self.opened(list: list(1))
        #expect(large.serverEvents.contains(.oversizedHeaders(largeStream, endStream: false)))
    }

    @Test("control 26: a stream may be gone when its data comes or goes, and nothing happens")
    func goneStream() throws {
        let (pair, stream) = try self.opened()
        pair.server.reset(stream, .cancel)
        pair.server.write(stream, self.bytes(5))
        pair.server.end(stream, .trailers([:]))
        pair.client.write(stream, self.bytes(5))
        pair.run()
        pair.client.write(stream, self.bytes(5))
        pair.client.end(stream, .endStream)
        pair.client.reset(stream, .cancel)
        pair.server.consume(stream, 5)
        pair.server.respond(99, SessionPair.response)
        pair.run()
        #expect(pair.clientEvents.contains(.closed(stream, .cancel)))
        #expect(pair.client.failure == nil && pair.server.failure == nil)
        #expect(pair.client.request(SessionPair.request) != nil)
    }

    @Test("control 28: a body without bytes waits, and goes on when there are some")
    func deferred() throws {
        let (pair, stream) = try self.opened()
        pair.server.respond(stream, SessionPair.response)
        pair.run()
        for count in 1...5 {
            pair.server.write(stream, self.bytes(count))
            pair.run()
            pair.run()
        }
        #expect(self.data(pair.clientEvents) == 15)
        // Written twice before it is asked: the second does not resume what goes on already.
        pair.server.write(stream, self.bytes(1))
        pair.server.write(stream, self.bytes(1))
        pair.server.end(stream, .trailers(["grpc-status": "0"]))
        pair.server.end(stream, .endStream)
        pair.run()
        #expect(self.data(pair.clientEvents) == 17)
    }

    @Test("control 29: a stream's window stops its sender until bytes are consumed")
    func streamWindow() throws {
        var limits = HTTP2Limits()
        limits.streamWindow = 1_000
        let (pair, stream) = try self.opened(limits)
        pair.client.write(stream, self.bytes(5_000))
        pair.run()
        #expect(self.data(pair.serverEvents) == 1_000)
        pair.server.consumeConnection(1_000)
        pair.run()
        #expect(self.data(pair.serverEvents) == 1_000)
        pair.server.consume(stream, 1_000)
        pair.run()
        #expect(self.data(pair.serverEvents) == 2_000)
    }

    @Test("control 29: the connection's window is wide, and what a gone stream left unread does not narrow it")
    func connectionWindow() throws {
        var limits = HTTP2Limits()
        limits.connectionWindow = 200_000
        let pair = try SessionPair(client: limits, server: limits)
        // Each stream leaves 60,000 bytes unread and is reset.
        for _ in 0..<20 {
            let stream = try #require(pair.client.request(SessionPair.request))
            pair.client.write(stream, self.bytes(60_000))
            pair.run()
            #expect(self.data(pair.serverEvents) == 60_000)
            pair.server.reset(stream, .cancel)
            pair.server.consumeConnection(60_000)
            pair.forgetEvents()
            pair.run()
            pair.forgetEvents()
        }
    }

    @Test("control 30: a session is over when it wants neither to read nor to write, after its GOAWAY is pumped")
    func over() throws {
        let (pair, _) = try self.opened()
        #expect(!pair.server.isOver)
        pair.inject(Frame.bytes(0, stream: 0, [1, 2, 3]))
        // DATA on stream 0 is a connection error; the GOAWAY is still to be sent.
        #expect(!pair.server.isOver)
        pair.run()
        #expect(pair.server.isOver)
        #expect(Frame.read(pair.fromServer).last?.type == 7)
    }

    @Test("control 30: sensitive fields enter no table of either side")
    func sensitive() throws {
        var list = SessionPair.request
        list.append("authorization", "secret-1")
        list.append("x-join-token", "secret-2")
        list.append("x-plain", "plain")
        let (pair, _) = try self.opened(list: list)
        let first = try #require(Frame.read(pair.fromClient).first { $0.type == 1 }).payload
        pair.forgetEvents()
        _ = pair.client.request(list)
        pair.run()
        let second = try #require(Frame.read(pair.fromClient).first { $0.type == 1 }).payload
        #expect(second.count < first.count)
        // 0x1 begins a literal that is never indexed (RFC 7541 §6.2.3); the others are references by now.
        #expect(second.count { $0 & 0xF0 == 0x10 } >= 2)
        #expect(pair.serverEvents.contains { if case .headers(_, list, _) = $0 { true } else { false } })
    }

    @Test("control 22: GOAWAY closes the streams above its last, as refused")
    func goAway() throws {
        let (pair, stream) = try self.opened()
        pair.server.goAway(.noError, "bye")
        let late = try #require(pair.client.request(SessionPair.request))
        pair.run()
        #expect(pair.clientEvents.contains(.goAway(lastStream: stream, .noError, message: "bye")))
        #expect(pair.clientEvents.contains(.closed(late, .refusedStream)))
        // One that is asked for later is refused without being sent.
        let later = try #require(pair.client.request(SessionPair.request))
        pair.run()
        #expect(pair.clientEvents.contains(.closed(later, .refusedStream)))
        #expect(!pair.clientEvents.contains { if case .closed(stream, _) = $0 { true } else { false } })
    }

    @Test("Requests beyond the server's streams wait for one to end")
    func concurrentStreams() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 2
        let pair = try SessionPair(client: HTTP2Limits(), server: limits)
        pair.run()
        let streams = (0..<3).compactMap { _ in pair.client.request(SessionPair.request) }
        pair.run()
        func begun() -> Int { pair.serverEvents.count { if case .headers = $0 { true } else { false } } }
        #expect(begun() == 2)
        pair.server.respondOnly(streams[0], [":status": "200", "grpc-status": "0"])
        pair.run()
        #expect(begun() == 3)
    }

    @Test("A ping is answered, and one of ours brings its payload back")
    func ping() throws {
        let pair = try SessionPair()
        pair.server.ping(0x0102_0304_0506_0708)
        pair.run()
        #expect(pair.clientEvents.contains(.ping))
        #expect(pair.serverEvents.contains(.pingAcknowledged(0x0102_0304_0506_0708)))
    }
}
