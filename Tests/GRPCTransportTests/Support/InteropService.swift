import Foundation
import GRPCCore
import GRPCTransport
import TLSEngine

/// Messages as they are.
struct Bytes: MessageSerializer, MessageDeserializer {
    func serialize<Target: GRPCContiguousBytes>(_ message: [UInt8]) -> Target { Target(message) }
    func deserialize<Source: GRPCContiguousBytes>(_ bytes: Source) -> [UInt8] { bytes.withUnsafeBytes { [UInt8]($0) } }
}

/// A message of the interoperability service: how many responses are wanted, of which sizes, and a payload.
struct InteropMessage {
    var sizes: [Int]
    var payload: [UInt8]

    init(_ sizes: [Int] = [], payload: [UInt8] = []) {
        self.sizes = sizes
        self.payload = payload
    }

    init(_ bytes: [UInt8]) {
        func number(_ place: Int) -> Int { bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        guard bytes.count >= 4, bytes.count >= 4 + 4 * number(0) else {
            self.init()
            return
        }
        let count = number(0)
        self.init((0..<count).map { number(4 + 4 * $0) }, payload: Array(bytes[(4 + 4 * count)...]))
    }

    var bytes: [UInt8] { ([self.sizes.count] + self.sizes).flatMap(Self.bytes) + self.payload }

    static func bytes(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
}

/// The service that gRPC's interoperability cases call, by messages of our own.
struct InteropService: RegistrableRPCService {
    static let name = "relay.test.Interop"
    static func method(_ name: String) -> MethodDescriptor {
        MethodDescriptor(fullyQualifiedService: Self.name, method: name)
    }

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        func add(
            _ name: String,
            _ body:
                @escaping @Sendable (
                    StreamingServerRequest<[UInt8]>, ServerContext, RPCWriter<[UInt8]>
                ) async throws -> Void
        ) {
            router.registerHandler(
                forMethod: Self.method(name), deserializer: Bytes(), serializer: Bytes()
            ) { request, context in
                let metadata = request.metadata
                try await Self.begin(metadata, context)
                return StreamingServerResponse(metadata: Self.initial(metadata)) { writer in
                    try await body(request, context, writer)
                    return Self.trailing(metadata)
                }
            }
        }
        add("EmptyCall") { request, _, writer in
            for try await _ in request.messages {}
            try await writer.write([])
        }
        add("UnaryCall") { request, context, writer in
            for try await message in request.messages {
                try await writer.write(Self.answer(message, request.metadata, context))
            }
        }
        add("StreamingInputCall") { request, _, writer in
            var total = 0
            let slow = Self.milliseconds(request.metadata, "x-slow-ms")
            for try await message in request.messages {
                total += InteropMessage(message).payload.count
                if slow > 0 { try await Task.sleep(for: .milliseconds(slow)) }
            }
            try await writer.write(InteropMessage.bytes(total))
        }
        for name in ["StreamingOutputCall", "FullDuplexCall"] {
            add(name) { request, _, writer in
                for try await message in request.messages {
                    for size in InteropMessage(message).sizes {
                        try await writer.write([UInt8](repeating: 0, count: size))
                    }
                }
            }
        }
    }

    private static func milliseconds(_ metadata: Metadata, _ key: String) -> Int {
        metadata[stringValues: key].first { _ in true }.flatMap { Int($0) } ?? 0
    }

    /// Sleeps or fails as the metadata asks.
    private static func begin(_ metadata: Metadata, _ context: ServerContext) async throws {
        let end = ContinuousClock.now + .milliseconds(Self.milliseconds(metadata, "x-sleep-ms"))
        while ContinuousClock.now < end {
            guard !context.cancellation.isCancelled else { throw CancellationError() }
            try await Task.sleep(for: .milliseconds(5))
        }
        guard let code = Status.Code(rawValue: Self.milliseconds(metadata, "x-status")), code != .ok else { return }
        let text = metadata[binaryValues: "x-message-bin"].first { _ in true } ?? []
        throw RPCError(
            code: RPCError.Code(code) ?? .unknown, message: String(decoding: text, as: UTF8.self),
            metadata: Self.trailing(metadata))
    }

    private static func initial(_ metadata: Metadata) -> Metadata {
        var initial = Metadata()
        for value in metadata[stringValues: "x-grpc-test-echo-initial"] {
            initial.addString(value, forKey: "x-grpc-test-echo-initial")
        }
        return initial
    }

    private static func trailing(_ metadata: Metadata) -> Metadata {
        var trailing = Metadata()
        for value in metadata[binaryValues: "x-grpc-test-echo-trailing-bin"] {
            trailing.addBinary(value, forKey: "x-grpc-test-echo-trailing-bin")
        }
        for value in metadata[binaryValues: "x-details-bin"] {
            trailing.addBinary(value, forKey: "grpc-status-details-bin")
        }
        return trailing
    }

    private static func answer(_ message: [UInt8], _ metadata: Metadata, _ context: ServerContext) -> [UInt8] {
        if metadata[stringValues: "x-echo"].contains("1") { return message }
        if metadata[stringValues: "x-who"].contains("1") {
            let client = (context.transportSpecific as? ConnectionPeer)?.security?.client
            return Array((client.map { "\($0.subject) \($0.uris)" } ?? "nobody").utf8)
        }
        return [UInt8](repeating: 0, count: InteropMessage(message).sizes.first ?? 0)
    }
}
