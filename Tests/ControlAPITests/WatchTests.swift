import ControlAPI
import GRPCCore
import GRPCTransport
import NIOPosix
import SwiftProtobuf
import Testing

/// What is made of proto/, over our transports.
@Suite("The control API", .timeLimit(.minutes(1)))
struct WatchTests {
    /// Sends one change in two parts, and gives back as its last response what was acknowledged.
    private struct Replica: ControlNodeService.SimpleServiceProtocol {
        func watch(
            request: RPCAsyncSequence<ControlWatchRequest, any Error>, response: RPCWriter<ControlWatchResponse>,
            context: ServerContext
        ) async throws {
            for try await message in request {
                guard message.nonce > 0 else {
                    try await response.write(Self.part(1, message.stateVersion, ["alpha.test"], hasMore: true))
                    try await response.write(Self.part(2, message.stateVersion, ["bravo.test"], hasMore: false))
                    continue
                }
                let outcome = message.hasErrorDetail ? "\(message.errorDetail.reason)" : "acknowledged"
                try await response.write(Self.part(message.nonce + 1, 8, [outcome], hasMore: false))
            }
        }

        func reportServed(
            request: ControlReportServedRequest, context: ServerContext
        ) async throws -> ControlReportServedResponse {
            .with { $0.clock = request.clock }
        }

        func renewCertificate(
            request: ControlRenewCertificateRequest, context: ServerContext
        ) async throws -> ControlRenewCertificateResponse {
            throw RPCError(code: .permissionDenied, message: "no certificate")
        }

        private static func part(
            _ nonce: UInt64, _ base: UInt64, _ domains: [String], hasMore: Bool
        ) -> ControlWatchResponse {
            .with {
                $0.nonce = nonce
                $0.baseVersion = base
                $0.stateVersion = base + 1
                $0.hasMore_p = hasMore
                $0.resources = domains.map { name in
                    .with {
                        $0.name = name
                        $0.version = base + 1
                        $0.domain = .with { $0.name = name }
                    }
                }
            }
        }
    }

    /// Runs `body` with a client of a replica on a Unix socket.
    private func withClient(
        _ body: @escaping @Sendable (ControlNodeService.Client<GRPCClientTransport>) async throws -> Void
    ) async throws {
        let address = TransportAddress.unix(path: "/tmp/relay-control-api-\(UInt64.random(in: 0 ... .max))")
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = GRPCServerTransport(
            .init(addresses: [address], security: .none, random: { 0.5 }), group: group)
        let server = GRPCServer(transport: listener, services: [Replica()])
        let client = GRPCClient(
            transport: GRPCClientTransport(
                .init(addresses: [address], security: .none, authority: "test", random: { 0.5 }), group: group))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.serve() }
            #expect(await !listener.listeningAddresses.isEmpty)
            tasks.addTask { try await client.runConnections() }
            try await body(ControlNodeService.Client(wrapping: client))
            client.beginGracefulShutdown()
            server.beginGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Answers the last part of a change with this message; gives the names of the resources in the order in which they came.
    private func follow(
        from version: UInt64, answering answer: @escaping @Sendable (UInt64) -> ControlWatchRequest
    ) async throws -> [String] {
        let (answers, send) = AsyncStream.makeStream(of: ControlWatchRequest.self)
        let names = AsyncStream.makeStream(of: [String].self)
        try await self.withClient { client in
            try await client.watch { writer in
                try await writer.write(.with { $0.stateVersion = version })
                for await message in answers { try await writer.write(message) }
            } onResponse: { response in
                var all: [String] = []
                for try await part in response.messages {
                    all += part.resources.map(\.name)
                    if part.nonce == 2 { send.yield(answer(part.nonce)) }
                    if part.nonce > 2 { send.finish() }
                }
                names.continuation.yield(all)
            }
        }
        names.continuation.finish()
        return await names.stream.first { _ in true } ?? []
    }

    @Test("A node follows a change in two parts, and acknowledges it once")
    func acknowledged() async throws {
        let names = try await self.follow(from: 6) { nonce in .with { $0.nonce = nonce } }
        #expect(names == ["alpha.test", "bravo.test", "acknowledged"])
    }

    @Test("A refusal is the presence of its detail, even of an empty one (control 1)")
    func refused() async throws {
        let names = try await self.follow(from: 6) { nonce in
            .with {
                $0.nonce = nonce
                $0.errorDetail = ControlRefusal()
            }
        }
        #expect(names == ["alpha.test", "bravo.test", ""])
    }

    @Test("An error of the service reaches the caller with its code and text")
    func failure() async throws {
        try await self.withClient { client in
            await #expect(throws: RPCError(code: .permissionDenied, message: "no certificate")) {
                try await client.renewCertificate(ControlRenewCertificateRequest())
            }
        }
    }
}
