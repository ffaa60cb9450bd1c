import NIOCore
import Testing

@testable import GRPCTransport

/// Frames that cost the sender little and us much (control 24), at the session, on a clock that stands still.
@Suite("Abuse of a session")
struct AbuseTests {
    /// A server's session with a client that has sent its preface and one request on stream 1.
    private func attacked(_ limits: HTTP2Limits = HTTP2Limits()) throws -> SessionPair {
        let pair = try SessionPair(server: limits)
        _ = pair.client.request(SessionPair.request)
        pair.run()
        pair.forgetEvents()
        return pair
    }

    /// Sends a frame until the session ends; gives how often it was taken.
    private func taken(_ pair: SessionPair, most: Int, _ frame: (Int) -> [UInt8]) -> Int {
        for count in 0..<most {
            pair.inject(frame(count))
            var answer = ByteBuffer()
            pair.server.pump(into: &answer, limit: .max)
            if pair.server.failure != nil { return count }
        }
        return most
    }

    /// A header block with no field, on a new stream each time.
    private static func headers(_ count: Int, flags: UInt8, _ block: [UInt8]) -> [UInt8] {
        Frame.bytes(1, flags: flags, stream: Int32(3 + 2 * count), block)
    }

    /// `:method POST`, `:scheme https`, `:path /` and `:authority` from the static table.
    private static let block: [UInt8] = [0x83, 0x87, 0x84, 0x41, 1, UInt8(ascii: "h")]

    @Test(
        "control 24: each flood ends the session at its budget, and a GOAWAY names it",
        arguments: [
            (AbuseKind.pings, 100, Frame.bytes(6, [UInt8](repeating: 0, count: 8))),
            (.settings, 48, Frame.bytes(4)),
            (.priorities, 100, Frame.bytes(2, stream: 1, [0, 0, 0, 0, 9])),
            (.emptyData, 100, Frame.bytes(0, stream: 1)),
            (.windowUpdates, 1_990, Frame.bytes(8, Frame.number(1))),
            (.otherFrames, 100, Frame.bytes(0xBE, [1, 2, 3])),
        ])
    func flood(_ kind: AbuseKind, _ budget: Int, _ frame: [UInt8]) throws {
        let pair = try self.attacked()
        let taken = self.taken(pair, most: 3_000) { _ in frame }
        #expect(budget - 2...budget + 10 ~= taken, "\(taken)")
        #expect(pair.server.failure == .abuse(kind))
    }

    @Test("control 24: a GOAWAY with ENHANCE_YOUR_CALM says what it was, and nothing is read behind it")
    func goAway() throws {
        let pair = try self.attacked()
        for _ in 0..<200 { pair.inject(Frame.bytes(6, [UInt8](repeating: 0, count: 8))) }
        var sent = ByteBuffer()
        pair.server.pump(into: &sent, limit: .max)
        let last = try #require(Frame.read(sent).last { $0.type == 7 })
        #expect(last.payload[4..<8].elementsEqual([0, 0, 0, 0xB]))
        #expect(String(decoding: last.payload[8...], as: UTF8.self) == "too_many_pings")
        pair.forgetEvents()
        pair.inject(Frame.bytes(6, [UInt8](repeating: 0, count: 8)))
        #expect(pair.serverEvents == [])
    }

    @Test("control 24: twenty resets at once are let pass, the next one is not; a second later one more is")
    func rapidReset() throws {
        let pair = try self.attacked()
        func open(_ count: Int) -> [UInt8] {
            Self.headers(count, flags: 4, Self.block)
                + Frame.bytes(3, stream: Int32(3 + 2 * count), [0, 0, 0, 8])
        }
        for count in 0..<20 { pair.inject(open(count)) }
        #expect(pair.server.failure == nil)
        pair.now = pair.now + .milliseconds(1_001)
        pair.inject(open(20))
        #expect(pair.server.failure == nil)
        pair.inject(open(21))
        #expect(pair.server.failure == .abuse(.resets))
    }

    @Test("control 24: resets that the client makes us send count as its own")
    func provokedResets() throws {
        let pair = try self.attacked()
        // A request without a path is malformed: nghttp2 resets its stream (RFC 9113 §8.1.1).
        let taken = self.taken(pair, most: 100) { Self.headers($0, flags: 4, [0x83, 0x87]) }
        #expect(taken <= 21)
        #expect(pair.server.failure == .abuse(.resets))
    }

    @Test("control 24: CONTINUATION without end stops within one block, and across blocks")
    func continuations() throws {
        let one = try self.attacked()
        one.inject(Self.headers(0, flags: 0, Self.block))
        let taken = self.taken(one, most: 100) { _ in Frame.bytes(9, stream: 3, [0]) }
        #expect(taken == 16)
        #expect(one.server.failure == .abuse(.continuations))
        let many = try self.attacked()
        let blocks = self.taken(many, most: 100) { count in
            Self.headers(count, flags: 1, Self.block) + Frame.bytes(9, stream: Int32(3 + 2 * count))
                + Frame.bytes(9, flags: 4, stream: Int32(3 + 2 * count))
        }
        #expect(blocks == 8)
        #expect(many.server.failure == .abuse(.continuations))
    }

    @Test("control 24: a header bomb of references is dropped field by field, and ends the session when it goes on")
    func headerBomb() throws {
        let pair = try self.attacked()
        // One field of 4,000 bytes enters the table, and is named again and again, each time by one byte.
        let name: [UInt8] =
            [0x40, 1, UInt8(ascii: "x"), 0x7F, 0xA1, 0x1E] + [UInt8](repeating: UInt8(ascii: "v"), count: 4_000)
        pair.inject(Self.headers(0, flags: 4, Self.block + name + [0xBE]))
        #expect(pair.server.failure == nil)
        #expect(pair.serverEvents.contains(.oversizedHeaders(3, endStream: false)))
        pair.inject(Self.headers(1, flags: 4, Self.block + [UInt8](repeating: 0xBF, count: 10_000)))
        #expect(pair.server.failure == .abuse(.oversizedHeaders))
        // Nothing of it was kept.
        #expect(!pair.serverEvents.contains { if case .headers = $0 { true } else { false } })
    }

    @Test("control 24: header lists beyond the limit have a budget")
    func oversized() throws {
        let pair = try self.attacked()
        let field: [UInt8] =
            [0x00, 1, UInt8(ascii: "x"), 0x7F, 0xA1, 0x45] + [UInt8](repeating: UInt8(ascii: "v"), count: 8_992)
        let taken = self.taken(pair, most: 100) { Self.headers($0, flags: 5, Self.block + field) }
        #expect(taken == 10)
        #expect(pair.server.failure == .abuse(.oversizedHeaders))
    }

    @Test("control 24: answers for a peer that does not read are bounded")
    func unread() throws {
        var limits = HTTP2Limits()
        // Only the queue bounds here.
        limits.abuse.pings = Allowance(burst: 1_000_000, perSecond: 0)
        let pair = try self.attacked(limits)
        var count = 0
        while pair.server.failure == nil, count < 10_000 {
            pair.inject(Frame.bytes(6, [UInt8](repeating: 0, count: 8)))
            count += 1
        }
        #expect(count <= 202)
    }

    @Test(
        "control 32: what is not HTTP/2 ends the session with a GOAWAY",
        arguments: [
            Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), Array("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".utf8),
            [UInt8](repeating: 0, count: 100),
        ])
    func notHTTP2(_ bytes: [UInt8]) throws {
        let session = try HTTP2Session(.server, HTTP2Limits(), at: .now())
        session.receive(ByteBuffer(bytes: bytes), at: .now())
        guard case .violation? = session.failure else {
            Issue.record("taken: \(String(describing: session.failure))")
            return
        }
        var sent = ByteBuffer()
        session.pump(into: &sent, limit: .max)
        #expect(Frame.read(sent).last?.type == 7)
    }
}
