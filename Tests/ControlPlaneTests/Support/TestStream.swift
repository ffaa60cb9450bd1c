import ClusterModel
import ControlAPI
import ControlClient
import GRPCCore
import GRPCTransport
import SwiftProtobuf

/// One stream of a node, led by a test message by message.
struct TestStream {
    typealias Responses = RPCAsyncSequence<ControlWatchResponse, any Error>

    private var responses: Responses.AsyncIterator
    private let requests: AsyncStream<ControlWatchRequest>.Continuation

    /// Runs `body` with a stream that begins with this message.
    static func with<Result: Sendable>(
        _ client: TestReplica.Client, first: ControlWatchRequest = .init(),
        _ body: @Sendable @escaping (inout TestStream) async throws -> Result
    ) async throws -> Result {
        let (requests, continuation) = AsyncStream.makeStream(of: ControlWatchRequest.self)
        continuation.yield(first)
        defer { continuation.finish() }
        return try await ControlNodeService.Client(wrapping: client).watch { writer in
            for await request in requests { try await writer.write(request) }
        } onResponse: { response in
            var stream = TestStream(responses: response.messages.makeAsyncIterator(), requests: continuation)
            defer { continuation.finish() }
            return try await body(&stream)
        }
    }

    private init(
        responses: Responses.AsyncIterator, requests: AsyncStream<ControlWatchRequest>.Continuation
    ) {
        self.responses = responses
        self.requests = requests
    }

    func send(_ request: ControlWatchRequest) { self.requests.yield(request) }

    func acknowledge(_ response: ControlWatchResponse) { self.send(.with { $0.nonce = response.nonce }) }

    func refuse(_ response: ControlWatchResponse, _ key: ControlResourceKey?, _ reason: String) {
        self.send(
            .with {
                $0.nonce = response.nonce
                $0.errorDetail = .with {
                    $0.stateVersion = response.stateVersion
                    if let key { $0.resource = key }
                    $0.reason = reason
                }
            })
    }

    /// The next response; throws if the stream has ended.
    mutating func next() async throws -> ControlWatchResponse {
        guard let response = try await self.responses.next(isolation: #isolation) else {
            throw RPCError(code: .unknown, message: "the stream has ended without an error")
        }
        return response
    }

    /// All parts of the next change, acknowledged.
    mutating func change() async throws -> [ControlWatchResponse] {
        var parts = [try await self.next()]
        while parts[parts.count - 1].hasMore_p { parts.append(try await self.next()) }
        self.acknowledge(parts[parts.count - 1])
        return parts
    }
}

extension TestReplica.Client {
    /// Adds domains without next hops, or changes them.
    @discardableResult
    func apply(_ names: String..., port: UInt32? = nil) async throws -> ControlApplyDomainsResponse {
        try await ControlDomainService.Client(wrapping: self).applyDomains(
            .with {
                $0.changes = names.map { name in
                    .with {
                        $0.domain = .with {
                            $0.name = name
                            $0.recipientVerification = .none
                            if let port {
                                $0.nextHop = .with {
                                    $0.host = "hop.test"
                                    $0.port = port
                                }
                            }
                        }
                    }
                }
            })
    }
}
