import GRPCCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import GRPCTransport

/// Connections beyond a server's limits (control 8).
@Suite("Limits of connections", .timeLimit(.minutes(2)))
struct ConnectionLimitTests {
    let world: InteropWorld
    init() throws { self.world = try InteropWorld() }

    /// What a server told of its connections.
    private final class Events: Sendable {
        private let all = Mutex<[String]>([])
        var names: [String] { self.all.withLock { $0 } }

        func heard(_ event: ConnectionEvent) {
            let name =
                switch event {
                case .opened: "opened"
                case .refused(let reason): "refused \(reason.rawValue)"
                case .ready: "ready"
                case .draining: "draining"
                case .tooManyPings: "too many pings"
                case .abuse: "abuse"
                case .failed: "failed"
                case .closed: "closed"
                }
            self.all.withLock { $0.append(name) }
        }
    }

    private func configuration(_ path: String, _ events: Events) -> GRPCServerTransport.Configuration {
        var configuration = BareTransport.server(.unix(path: path))
        configuration.observe = { events.heard($0) }
        return configuration
    }

    private func expectRefusal(_ client: GRPCClientTransport) async throws {
        let parts = try await client.parts()
        #expect(parts.status?.code == .resourceExhausted)
        // Half of the spread.
        #expect(Array(parts.trailing[stringValues: "grpc-retry-pushback-ms"]) == ["7500"])
    }

    @Test(
        "control 8: calls beyond the limit of connections are RESOURCE_EXHAUSTED with a delay, until there is room again"
    )
    func count() async throws {
        let (path, events) = (self.world.newPath("socket"), Events())
        var configuration = self.configuration(path, events)
        configuration.limits.open = 1
        try await withInteropServer(configuration) { _, _ in
            let (first, second) = (BareTransport.client(.unix(path: path)), BareTransport.client(.unix(path: path)))
            try await BareTransport.with(second) { second in
                try await BareTransport.with(first) { first in
                    // Whoever comes first has the place.
                    let refused = try await first.parts().status?.code == .ok ? second : first
                    try await self.expectRefusal(refused)
                }
            }
            try await BareTransport.with(BareTransport.client(.unix(path: path))) { third in
                var parts = try await third.parts()
                let end = ContinuousClock.now + .seconds(10)
                while parts.status?.code != .ok, ContinuousClock.now < end { parts = try await third.parts() }
                #expect(parts.status?.code == .ok)
            }
        }
        #expect(events.names.contains("refused count"))
        let opened = events.names.count { $0 == "opened" }
        #expect(opened >= 2 && opened == events.names.count { $0 == "closed" })
    }

    @Test("control 8: calls on new connections beyond the rate are RESOURCE_EXHAUSTED with a delay")
    func rate() async throws {
        let (path, events) = (self.world.newPath("socket"), Events())
        var configuration = self.configuration(path, events)
        configuration.limits.new = Allowance(burst: 1, perSecond: 0.001)
        try await withInteropServer(configuration) { _, _ in
            try await BareTransport.with(BareTransport.client(.unix(path: path))) { client in
                let parts = try await client.parts()
                #expect(parts.status?.code == .ok)
            }
            try await BareTransport.with(BareTransport.client(.unix(path: path))) { client in
                try await self.expectRefusal(client)
            }
        }
        #expect(Array(events.names.prefix(2)) == ["opened", "ready"])
        #expect(events.names.contains("refused rate"))
        #expect(events.names.count { $0 == "opened" } == 1)
    }

    @Test("control 8: a refused connection is ended when its call is answered, and in its time when there is none")
    func ended() async throws {
        let (path, events) = (self.world.newPath("socket"), Events())
        var configuration = self.configuration(path, events)
        configuration.limits.open = 0
        configuration.limits.refusedTime = .milliseconds(300)
        try await withInteropServer(configuration) { _, _ in
            let peer = SilentPeer()
            let channel = try await peer.connect(path)
            let began = ContinuousClock.now
            try await channel.closeFuture.get()
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(peer.frames.contains { $0.type == 7 })
        }
        #expect(events.names == ["refused count"])
    }

    @Test("control 8: connections beyond those that are refused are closed at once")
    func closed() async throws {
        let (path, events) = (self.world.newPath("socket"), Events())
        var configuration = self.configuration(path, events)
        configuration.limits.open = 0
        configuration.limits.refused = 0
        try await withInteropServer(configuration) { _, _ in
            try await BareTransport.with(BareTransport.client(.unix(path: path))) { client in
                let code = await #expect(throws: RPCError.self) { try await client.parts(waitForReady: false) }?.code
                #expect(code == .unavailable)
            }
        }
        #expect(events.names.first == "refused count")
        #expect(Set(events.names) == ["refused count"])
    }
}
