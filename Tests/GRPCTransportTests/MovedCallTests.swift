import GRPCCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import GRPCTransport

/// Calls whose server goes away, or refuses them, before it comes to them (control 22).
@Suite("Calls that begin again", .timeLimit(.minutes(2)))
struct MovedCallTests {
    let world: InteropWorld
    init() throws { self.world = try InteropWorld() }

    private static func goAway(last: UInt32, _ code: UInt32 = 0, _ message: String = "") -> [UInt8] {
        Frame.bytes(7, Frame.number(last) + Frame.number(code) + Array(message.utf8))
    }

    private static func reset(_ stream: Int32, _ code: HTTP2ErrorCode) -> [UInt8] {
        Frame.bytes(3, stream: stream, Frame.number(code.rawValue))
    }

    /// The section that begins a response: `:status` 200 by the static table, and `content-type` without a table.
    private static func headers(_ stream: Int32) -> [UInt8] {
        Frame.bytes(1, flags: 4, stream: stream, [0x88, 0x0F, 0x10, 16] + Array("application/grpc".utf8))
    }

    /// Calls through a server that answers the first connection's request so, beside one that serves; gives the parts and how many
    /// requests the first one saw.
    private func call(
        _ messages: [[UInt8]], answer: @escaping @Sendable (Int32) -> [UInt8]
    ) async throws -> (parts: [RPCResponsePart<[UInt8]>], seen: Int) {
        let (first, second) = (self.world.newPath("scripted"), self.world.newPath("socket"))
        let scripted = try await ScriptedServer.listen(first, once: true, answer: answer)
        defer { scripted.close() }
        let parts = try await withInteropServer(BareTransport.server(.unix(path: second))) { _, _ in
            try await BareTransport.with(BareTransport.client(.unix(path: first), .unix(path: second))) { client in
                try await client.parts("UnaryCall", messages, metadata: ["x-echo": "1"])
            }
        }
        return (parts, scripted.requests.value.load(ordering: .relaxed))
    }

    private static let messages: [[UInt8]] = [[1], [], [2, 3], [UInt8](repeating: 4, count: 50_000)]

    @Test(
        "control 22: a call above the last stream of a GOAWAY begins again on the next connection, with all its messages"
    )
    func goneAway() async throws {
        let outcome = try await self.call(Self.messages) { _ in Self.goAway(last: 0) }
        #expect(outcome.parts.status?.code == .ok)
        #expect(outcome.parts.messages == Self.messages)
        #expect(outcome.seen == 1)
    }

    @Test("control 22: a call that a server refuses as it goes away begins again on the next connection")
    func refused() async throws {
        let outcome = try await self.call(Self.messages) { stream in
            Self.goAway(last: UInt32(stream)) + Self.reset(stream, .refusedStream)
        }
        #expect(outcome.parts.status?.code == .ok)
        #expect(outcome.parts.messages == Self.messages)
    }

    @Test("control 22: a call that the server may have looked at, or that has begun, does not begin again")
    func processed() async throws {
        let cancelled = try await self.call([[1]]) { stream in
            Self.goAway(last: UInt32(stream)) + Self.reset(stream, .cancel)
        }
        #expect(
            cancelled.parts == [.status(Status(code: .cancelled, message: "the peer reset the stream: CANCEL"), [:])])
        let begun = try await self.call([[1]]) { stream in
            Self.headers(stream) + Self.goAway(last: UInt32(stream)) + Self.reset(stream, .refusedStream)
        }
        #expect(begun.parts.first == .metadata([:]))
        #expect(begun.parts.status?.code == .unavailable)
    }

    @Test("control 22: a call that is too large to be kept does not begin again")
    func large() async throws {
        let outcome = try await self.call([[UInt8](repeating: 1, count: 200_000)]) { _ in Self.goAway(last: 0) }
        #expect(outcome.parts.status?.code == .unavailable)
    }

    @Test("control 22: a call begins again once; refused again, it is UNAVAILABLE")
    func twice() async throws {
        let path = self.world.newPath("scripted")
        let scripted = try await ScriptedServer.listen(path, once: false) { Self.reset($0, .refusedStream) }
        defer { scripted.close() }
        let parts = try await BareTransport.with(BareTransport.client(.unix(path: path))) { client in
            try await client.parts("UnaryCall", [[1]])
        }
        #expect(parts.status?.code == .unavailable)
        #expect(scripted.requests.value.load(ordering: .relaxed) == 2)
    }

    @Test("control 22, 31: connections are replaced under load, and no call fails by it")
    func replaced() async throws {
        let path = self.world.newPath("socket")
        let opened = Counter()
        var configuration = BareTransport.server(.unix(path: path))
        configuration.observe = { if case .opened = $0 { opened.value.add(1, ordering: .relaxed) } }
        let calls = Counter()
        try await withInteropServer(configuration) { _, _ in
            try await BareTransport.with(BareTransport.client(.unix(path: path))) { client in
                let end = ContinuousClock.now + .seconds(2)
                try await withThrowingTaskGroup { group in
                    for _ in 0..<8 {
                        group.addTask {
                            while ContinuousClock.now < end {
                                let parts = try await client.parts("UnaryCall", [[7]], metadata: ["x-echo": "1"])
                                #expect(parts.status == Status(code: .ok, message: ""))
                                #expect(parts.messages == [[7]])
                                calls.value.add(1, ordering: .relaxed)
                            }
                        }
                    }
                    while ContinuousClock.now < end {
                        try await Task.sleep(for: .milliseconds(20))
                        client.reconnect()
                    }
                    try await group.waitForAll()
                }
            }
        }
        #expect(opened.value.load(ordering: .relaxed) > 10)
        #expect(calls.value.load(ordering: .relaxed) > 100)
    }

    @Test("control 23: a client that was told too_many_pings asks half as often on its next connection")
    func tooManyPings() async throws {
        let path = self.world.newPath("scripted")
        let scripted = try await ScriptedServer.listen(path, once: false) { _ in
            Self.goAway(last: 0, HTTP2ErrorCode.enhanceYourCalm.rawValue, "too_many_pings")
        }
        defer { scripted.close() }
        var configuration = GRPCClientTransport.Configuration(
            addresses: [.unix(path: path)], security: .none, authority: "test", random: { 0.5 })
        configuration.backoff.first = .milliseconds(1)
        configuration.connection.keepalive = .client
        let told = Counter()
        configuration.observe = { if case .tooManyPings = $0 { told.value.add(1, ordering: .relaxed) } }
        let transport = GRPCClientTransport(configuration, group: .singletonMultiThreadedEventLoopGroup)
        #expect(transport.keepalive?.silence == .minutes(6))
        try await BareTransport.with(transport) { client in
            // The call begins again once, and is told the same.
            let parts = try await client.parts("UnaryCall", [[1]])
            #expect(parts.status?.code == .unavailable)
            #expect(client.keepalive?.silence == .minutes(24))
        }
        #expect(told.value.load(ordering: .relaxed) == 2)
    }
}
