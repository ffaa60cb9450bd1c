import ControlAPI
import ControlClient
import GRPCCore
import GRPCTransport
import NIOCore
import NIOPosix
import OperatingSystem
import TLSEngine
import Testing

/// A replica of a controller on loopback, over TLS. What it answers is the test's.
struct TestReplica: Sendable {
    let cluster: TestCluster
    let address: TransportAddress

    /// Runs `body` while such a replica serves.
    static func with<Result: Sendable>(
        _ cluster: TestCluster, services: [any RegistrableRPCService], dnsNames: [String]? = nil,
        _ body: (TestReplica) async throws -> Result
    ) async throws -> Result {
        let listener = GRPCServerTransport(
            .init(
                addresses: [.host("127.0.0.1", port: 0)],
                security: .tls(try cluster.serverCertificates(dnsNames: dnsNames)), random: { 0.5 }),
            group: MultiThreadedEventLoopGroup.singleton)
        let server = GRPCServer(transport: listener, services: services)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.serve() }
            defer { tasks.cancelAll() }
            let port = try #require(await listener.listeningAddresses.first?.port)
            return try await body(TestReplica(cluster: cluster, address: .host("127.0.0.1", port: port)))
        }
    }

    func connection(_ proof: ControllerConnection.Proof) -> ControllerConnection {
        ControllerConnection(
            addresses: [self.address], proof, group: MultiThreadedEventLoopGroup.singleton, random: .system)
    }
}

/// Answers reports with whom the caller's certificate names.
struct Reporter: ControlNodeService.SimpleServiceProtocol {
    func watch(
        request: RPCAsyncSequence<ControlWatchRequest, any Error>, response: RPCWriter<ControlWatchResponse>,
        context: ServerContext
    ) async throws {}

    func reportServed(
        request: ControlReportServedRequest, context: ServerContext
    ) async throws -> ControlReportServedResponse {
        let peer = context.transportSpecific as? ConnectionPeer
        throw RPCError(
            code: .failedPrecondition, message: peer?.security?.client?.uris.joined(separator: " ") ?? "nobody")
    }

    func renewCertificate(
        request: ControlRenewCertificateRequest, context: ServerContext
    ) async throws -> ControlRenewCertificateResponse {
        throw RPCError(code: .unimplemented, message: "")
    }
}
