import GRPCCore
import GRPCTransport
import LabSupport
import Synchronization

/// A number that tasks count up together.
final class Counter: Sendable {
    let value = Atomic(0)
}

/// gRPC's fourteen interoperability cases, and more, as our client calls them.
struct InteropCases: Sendable {
    let client: GRPCClient<GRPCClientTransport>

    struct Response: Sendable {
        var initial: Metadata = [:]
        var messages: [[UInt8]] = []
        var trailing: Metadata = [:]
    }

    /// Calls a method with these messages and waits for all of the response.
    func call(
        _ method: String, _ messages: [[UInt8]], _ metadata: Metadata = [:], options: CallOptions = .defaults
    ) async throws -> Response {
        try await self.client.bidirectionalStreaming(
            request: StreamingClientRequest(metadata: metadata) { writer in
                for message in messages { try await writer.write(message) }
            }, descriptor: InteropService.method(method), serializer: Bytes(), deserializer: Bytes(), options: options
        ) { response in
            let contents = try response.accepted.get()
            var all = Response(initial: contents.metadata)
            for try await part in contents.bodyParts {
                switch part {
                case .message(let message): all.messages.append(message)
                case .trailingMetadata(let trailing): all.trailing = trailing
                }
            }
            return all
        }
    }

    /// The error that a call ends with.
    func failure(_ body: () async throws -> Response) async throws -> RPCError {
        do {
            let response = try await body()
            throw LabFailure("no error, but \(response.messages.count) messages")
        } catch let error as RPCError { return error }
    }

    private func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
        if !condition { throw LabFailure(what()) }
    }

    static let all: [(String, @Sendable (InteropCases) async throws -> Void)] = [
        ("empty_unary", { try await $0.emptyUnary() }), ("large_unary", { try await $0.largeUnary() }),
        ("client_streaming", { try await $0.clientStreaming() }),
        ("server_streaming", { try await $0.serverStreaming() }), ("ping_pong", { try await $0.pingPong() }),
        ("empty_stream", { try await $0.emptyStream() }), ("custom_metadata", { try await $0.customMetadata() }),
        ("status_code_and_message", { try await $0.statusAndMessage("test status message") }),
        (
            "special_status_message",
            { try await $0.statusAndMessage("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n") }
        ),
        ("unimplemented_method", { try await $0.unimplemented(InteropService.name) }),
        ("unimplemented_service", { try await $0.unimplemented("relay.test.Nothing") }),
        ("cancel_after_begin", { try await $0.cancelAfterBegin() }),
        ("cancel_after_first_response", { try await $0.cancelAfterFirstResponse() }),
        ("timeout_on_sleeping_server", { try await $0.timeout() }),
        ("sizes", { try await $0.sizes() }), ("too_large", { try await $0.tooLarge() }),
        ("status_details", { try await $0.statusDetails() }),
        ("concurrent_streams", { try await $0.concurrentStreams(1_000) }),
        ("slow_reader", { try await $0.slowReader() }), ("slow_server", { try await $0.slowServer() }),
        ("many_messages", { try await $0.manyMessages() }),
    ]

    // MARK: The fourteen

    func emptyUnary() async throws {
        let response = try await self.call("EmptyCall", [[]])
        try self.expect(response.messages == [[]], "\(response)")
    }

    func largeUnary() async throws {
        let request = InteropMessage([314_159], payload: [UInt8](repeating: 0, count: 271_828))
        let sizes = try await self.call("UnaryCall", [request.bytes]).messages.map(\.count)
        try self.expect(sizes == [314_159], "\(sizes)")
    }

    func clientStreaming() async throws {
        let messages = [27_182, 8, 1_828, 45_904].map {
            InteropMessage(payload: [UInt8](repeating: 0, count: $0)).bytes
        }
        let response = try await self.call("StreamingInputCall", messages)
        try self.expect(response.messages == [InteropMessage.bytes(74_922)], "\(response.messages)")
    }

    func serverStreaming() async throws {
        let sizes = [31_415, 9, 2_653, 58_979]
        let response = try await self.call("StreamingOutputCall", [InteropMessage(sizes).bytes])
        try self.expect(response.messages.map(\.count) == sizes, "\(response.messages.map(\.count))")
    }

    func pingPong() async throws {
        let turns = zip([27_182, 8, 1_828, 45_904], [31_415, 9, 2_653, 58_979])
        let messages = turns.map { InteropMessage([$1], payload: [UInt8](repeating: 0, count: $0)).bytes }
        let sizes = try await self.converse(messages)
        try self.expect(sizes == [31_415, 9, 2_653, 58_979], "\(sizes)")
    }

    /// Sends each message when the response to the one before has come; gives the sizes of the responses.
    private func converse(_ messages: [[UInt8]]) async throws -> [Int] {
        let (turns, turn) = AsyncStream.makeStream(of: Void.self)
        turn.yield()
        return try await self.client.bidirectionalStreaming(
            request: StreamingClientRequest { writer in
                var left = messages[...]
                for await _ in turns {
                    guard let next = left.popFirst() else { return }
                    try await writer.write(next)
                }
            }, descriptor: InteropService.method("FullDuplexCall"), serializer: Bytes(), deserializer: Bytes(),
            options: .defaults
        ) { response in
            var sizes: [Int] = []
            for try await message in response.messages {
                sizes.append(message.count)
                turn.yield()
            }
            return sizes
        }
    }

    func emptyStream() async throws {
        let response = try await self.call("FullDuplexCall", [])
        try self.expect(response.messages.isEmpty, "\(response.messages.count)")
    }

    func customMetadata() async throws {
        let trailing: [UInt8] = [0x0A, 0x0B, 0x0A, 0x0B, 0x0A, 0x0B]
        var metadata: Metadata = ["x-grpc-test-echo-initial": "test_initial_metadata_value"]
        metadata.addBinary(trailing, forKey: "x-grpc-test-echo-trailing-bin")
        for method in ["UnaryCall", "FullDuplexCall"] {
            let message = InteropMessage([314_159], payload: [UInt8](repeating: 0, count: 271_828)).bytes
            let response = try await self.call(method, [message], metadata)
            let initial = Array(response.initial[stringValues: "x-grpc-test-echo-initial"])
            try self.expect(initial == ["test_initial_metadata_value"], "\(method): \(initial)")
            let values = Array(response.trailing[binaryValues: "x-grpc-test-echo-trailing-bin"])
            try self.expect(values == [trailing], "\(method): \(values)")
        }
    }

    func statusAndMessage(_ text: String) async throws {
        var metadata: Metadata = ["x-status": "2"]
        metadata.addBinary(Array(text.utf8), forKey: "x-message-bin")
        for method in ["UnaryCall", "FullDuplexCall"] {
            let error = try await self.failure { try await self.call(method, [[0, 0, 0, 0]], metadata) }
            try self.expect(error.code == .unknown && error.message == text, "\(error)")
        }
    }

    func unimplemented(_ service: String) async throws {
        let method = MethodDescriptor(fullyQualifiedService: service, method: "UnimplementedCall")
        let code = try await self.client.unary(
            request: ClientRequest(message: []), descriptor: method, serializer: Bytes(), deserializer: Bytes(),
            options: .defaults
        ) { response -> RPCError.Code? in
            if case .failure(let error) = response.accepted { error.code } else { nil }
        }
        try self.expect(code == .unimplemented, "\(String(describing: code))")
    }

    func cancelAfterBegin() async throws {
        let task = Task { try await self.failure { try await self.endless("StreamingInputCall") } }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        let error = try await task.value
        try self.expect(error.code == .cancelled, "\(error)")
    }

    /// A request that never ends.
    private func endless(
        _ method: String, first: [UInt8]? = nil, options: CallOptions = .defaults
    ) async throws -> Response {
        try await self.client.bidirectionalStreaming(
            request: StreamingClientRequest { writer in
                if let first { try await writer.write(first) }
                try await Task.sleep(for: .seconds(60))
            }, descriptor: InteropService.method(method), serializer: Bytes(), deserializer: Bytes(), options: options
        ) { response in
            var all = Response()
            for try await message in response.messages { all.messages.append(message) }
            return all
        }
    }

    func cancelAfterFirstResponse() async throws {
        let (firsts, first) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await self.failure {
                try await self.client.bidirectionalStreaming(
                    request: StreamingClientRequest { writer in
                        try await writer.write(InteropMessage([31_415]).bytes)
                        try await Task.sleep(for: .seconds(60))
                    }, descriptor: InteropService.method("FullDuplexCall"), serializer: Bytes(),
                    deserializer: Bytes(), options: .defaults
                ) { response in
                    for try await _ in response.messages { first.yield() }
                    return Response()
                }
            }
        }
        for await _ in firsts { break }
        task.cancel()
        let error = try await task.value
        try self.expect(error.code == .cancelled, "\(error)")
    }

    func timeout() async throws {
        var options = CallOptions.defaults
        options.timeout = .milliseconds(50)
        let error = try await self.failure {
            try await self.endless("FullDuplexCall", first: InteropMessage(payload: [1, 2]).bytes, options: options)
        }
        try self.expect(error.code == .deadlineExceeded, "\(error)")
    }

    // MARK: More

    func sizes() async throws {
        for size in [0, 1, 16_383, 16_384, 65_535, 65_536, 1 << 20, (4 << 20) - 4] {
            let request = InteropMessage(payload: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }).bytes
            let response = try await self.call("UnaryCall", [request], ["x-echo": "1"])
            try self.expect(response.messages == [request], "echo of \(size) bytes")
        }
    }

    func tooLarge() async throws {
        let error = try await self.failure {
            try await self.call("UnaryCall", [InteropMessage([(4 << 20) + 1]).bytes])
        }
        try self.expect(error.code == .resourceExhausted, "\(error)")
        try await self.emptyUnary()
    }

    func statusDetails() async throws {
        let details: [UInt8] = [8, 5, 0x12, 7] + Array("details".utf8) + (0...255)
        var metadata: Metadata = ["x-status": "9"]
        metadata.addBinary(Array("with details".utf8), forKey: "x-message-bin")
        metadata.addBinary(details, forKey: "x-details-bin")
        let error = try await self.failure { try await self.call("UnaryCall", [[0, 0, 0, 0]], metadata) }
        let told = Array(error.metadata[binaryValues: "grpc-status-details-bin"])
        try self.expect(error.code == .failedPrecondition && told == [details], "\(error)")
    }

    func concurrentStreams(_ count: Int) async throws {
        let reached = Counter()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<count {
                group.addTask { [self] in
                    try await self.client.bidirectionalStreaming(
                        request: StreamingClientRequest { writer in
                            try await writer.write(InteropMessage([100]).bytes)
                            // All streams are open when the last one has begun.
                            reached.value.add(1, ordering: .relaxed)
                            while reached.value.load(ordering: .relaxed) < count {
                                try await Task.sleep(for: .milliseconds(5))
                            }
                            try await writer.write(InteropMessage([3]).bytes)
                        }, descriptor: InteropService.method("FullDuplexCall"), serializer: Bytes(),
                        deserializer: Bytes(), options: .defaults
                    ) { response in
                        var bytes = 0
                        for try await message in response.messages { bytes += message.count }
                        return bytes
                    }
                }
            }
            for try await bytes in group { try self.expect(bytes == 103, "\(bytes)") }
        }
    }

    func slowReader() async throws {
        let bytes = try await self.client.serverStreaming(
            request: ClientRequest(message: InteropMessage([Int](repeating: 65_536, count: 200)).bytes),
            descriptor: InteropService.method("StreamingOutputCall"), serializer: Bytes(), deserializer: Bytes(),
            options: .defaults
        ) { response in
            var (bytes, count) = (0, 0)
            for try await message in response.messages {
                bytes += message.count
                count += 1
                guard count % 20 == 0 else { continue }
                try await Task.sleep(for: .milliseconds(50))
                // Others are served meanwhile.
                try await self.emptyUnary()
            }
            return bytes
        }
        try self.expect(bytes == 200 * 65_536, "\(bytes)")
    }

    func slowServer() async throws {
        let message = InteropMessage(payload: [UInt8](repeating: 0, count: 65_536)).bytes
        let response = try await self.call(
            "StreamingInputCall", [[UInt8]](repeating: message, count: 100), ["x-slow-ms": "5"])
        try self.expect(response.messages == [InteropMessage.bytes(100 * 65_536)], "\(response.messages)")
    }

    func manyMessages() async throws {
        let messages = (0..<5_000).map {
            InteropMessage([$0 % 50], payload: [UInt8](repeating: 0, count: $0 % 97)).bytes
        }
        let response = try await self.call("FullDuplexCall", messages)
        try self.expect(response.messages.map(\.count) == (0..<5_000).map { $0 % 50 }, "\(response.messages.count)")
    }
}
