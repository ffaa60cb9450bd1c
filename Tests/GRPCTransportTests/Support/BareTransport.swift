import GRPCCore
import NIOCore
import NIOPosix

@testable import GRPCTransport

/// Transports without TLS, and calls by a transport without grpc-swift's client.
enum BareTransport {
    static func server(_ addresses: TransportAddress...) -> GRPCServerTransport.Configuration {
        GRPCServerTransport.Configuration(addresses: addresses, security: .none, random: { 0.5 })
    }

    static func client(_ addresses: TransportAddress...) -> GRPCClientTransport {
        var configuration = GRPCClientTransport.Configuration(
            addresses: addresses, security: .none, authority: "test", random: { 0.5 })
        configuration.backoff.first = .milliseconds(50)
        return GRPCClientTransport(configuration, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// Runs `body` beside the transport's connection.
    static func with<Value: Sendable>(
        _ transport: GRPCClientTransport, _ body: (GRPCClientTransport) async throws -> Value
    ) async throws -> Value {
        async let connected: Void = transport.connect()
        do {
            let value = try await body(transport)
            transport.beginGracefulShutdown()
            try await connected
            return value
        } catch {
            transport.beginGracefulShutdown()
            throw error
        }
    }
}

extension GRPCClientTransport {
    /// Calls a method of the interoperability service with these messages; gives the parts of the response.
    func parts(
        _ method: String = "EmptyCall", _ messages: [[UInt8]] = [[]], metadata: Metadata = [:],
        waitForReady: Bool = true
    ) async throws -> [RPCResponsePart<[UInt8]>] {
        var options = CallOptions.defaults
        options.waitForReady = waitForReady
        return try await self.withStream(descriptor: InteropService.method(method), options: options) { stream, _ in
            try await stream.outbound.write(.metadata(metadata))
            for message in messages { try await stream.outbound.write(.message(message)) }
            await stream.outbound.finish()
            var parts: [RPCResponsePart<[UInt8]>] = []
            for try await part in stream.inbound { parts.append(part) }
            return parts
        }
    }
}

extension [RPCResponsePart<[UInt8]>] {
    /// The status, which comes last.
    var status: Status? { if case .status(let status, _)? = self.last { status } else { nil } }

    /// What came beside the status.
    var trailing: Metadata { if case .status(_, let metadata)? = self.last { metadata } else { [:] } }

    var messages: [[UInt8]] {
        self.compactMap { part in
            if case .message(let message) = part { message } else { nil }
        }
    }
}
