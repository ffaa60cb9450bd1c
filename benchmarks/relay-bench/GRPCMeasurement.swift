import Foundation
import GRPCCore

/// What is measured of a client's calls, whatever the transport. benchmarks/grpc-nio has this file too.
struct GRPCMeasurement<Transport: ClientTransport>: Sendable {
    let client: GRPCClient<Transport>
    let load: GRPCLoad

    /// One round.
    func round() async throws -> String {
        let parts = [try await self.unary(), try await self.download(), try await self.upload()]
        return parts.joined(separator: "\n")
    }

    /// Unary calls, so many at a time.
    private func unary() async throws -> String {
        let request = [UInt8](repeating: 7, count: self.load.size)
        let (used, elapsed, durations) = try await self.measured {
            try await withThrowingTaskGroup(of: [Double].self) { group in
                for task in 0..<self.load.concurrency {
                    let rest = task < self.load.calls % self.load.concurrency ? 1 : 0
                    group.addTask { try await self.callInTurn(self.load.calls / self.load.concurrency + rest, request) }
                }
                var all: [Double] = []
                for try await part in group { all += part }
                return all.sorted()
            }
        }
        let (median, late) = (durations[durations.count / 2], durations[durations.count * 99 / 100])
        return """
            unary, calls/s       \(Int(Double(self.load.calls) / elapsed))
            unary, ms            \(Self.text(median * 1e3)) median, \(Self.text(late * 1e3)) 99 %
            unary, CPU µs a call \(Self.text(used / Double(self.load.calls) * 1e6))
            """
    }

    private func callInTurn(_ count: Int, _ request: [UInt8]) async throws -> [Double] {
        var durations: [Double] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            _ = try await self.client.unary(
                request: ClientRequest(message: request), descriptor: MeasuredService.echo, serializer: RawBytes(),
                deserializer: RawBytes(), options: .defaults
            ) { try $0.message }
            durations.append((ContinuousClock.now - start) / .seconds(1))
        }
        return durations
    }

    /// Messages from the server.
    private func download() async throws -> String {
        let (used, elapsed, bytes) = try await self.measured {
            try await self.client.serverStreaming(
                request: ClientRequest(message: Array("\(self.load.messages)".utf8)),
                descriptor: MeasuredService.download, serializer: RawBytes(), deserializer: RawBytes(),
                options: .defaults
            ) { response in
                var bytes = 0
                for try await message in response.messages { bytes += message.count }
                return bytes
            }
        }
        return Self.line("download", bytes, used, elapsed)
    }

    /// Messages to the server.
    private func upload() async throws -> String {
        let message = [UInt8](repeating: 7, count: GRPCLoad.messageBytes)
        let (used, elapsed, count) = try await self.measured {
            try await self.client.clientStreaming(
                request: StreamingClientRequest { writer in
                    for _ in 0..<self.load.messages { try await writer.write(message) }
                }, descriptor: MeasuredService.upload, serializer: RawBytes(), deserializer: RawBytes(),
                options: .defaults
            ) { String(decoding: try $0.message, as: UTF8.self) }
        }
        return Self.line("upload", Int(count) ?? 0, used, elapsed)
    }

    private static func line(_ way: String, _ bytes: Int, _ used: Double, _ elapsed: Double) -> String {
        let mebibytes = Double(bytes) / 1_048_576
        return "\(way), MiB/s".padding(toLength: 21, withPad: " ", startingAt: 0)
            + "\(Int(mebibytes / elapsed)), CPU ms a MiB \(Self.text(used / mebibytes * 1e3))"
    }

    private static func text(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

    /// Seconds of processor time and of the clock that `body` took.
    private func measured<Value>(
        _ body: () async throws -> Value
    ) async throws -> (used: Double, elapsed: Double, value: Value) {
        let (before, start) = (Self.processorTime, ContinuousClock.now)
        let value = try await body()
        return (Self.processorTime - before, (ContinuousClock.now - start) / .seconds(1), value)
    }

    private static var processorTime: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }
}

/// What a round does.
struct GRPCLoad: Sendable {
    static let messageBytes = 64 * 1024
    var calls: Int
    var concurrency: Int
    /// Bytes of each unary message.
    var size: Int
    /// MiB streamed each way.
    var stream: Int

    var messages: Int { self.stream * 16 }
}

/// Messages as they are.
struct RawBytes: MessageSerializer, MessageDeserializer {
    func serialize<Target: GRPCContiguousBytes>(_ message: [UInt8]) -> Target { Target(message) }
    func deserialize<Source: GRPCContiguousBytes>(_ bytes: Source) -> [UInt8] { bytes.withUnsafeBytes { [UInt8]($0) } }
}

/// What is called.
struct MeasuredService: RegistrableRPCService {
    static let echo = MethodDescriptor(fullyQualifiedService: "relay.bench.Measured", method: "Echo")
    static let download = MethodDescriptor(fullyQualifiedService: "relay.bench.Measured", method: "Download")
    static let upload = MethodDescriptor(fullyQualifiedService: "relay.bench.Measured", method: "Upload")

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(forMethod: Self.echo, deserializer: RawBytes(), serializer: RawBytes()) { request, _ in
            StreamingServerResponse { writer in
                for try await message in request.messages { try await writer.write(message) }
                return [:]
            }
        }
        router.registerHandler(
            forMethod: Self.download, deserializer: RawBytes(), serializer: RawBytes()
        ) { request, _ in
            StreamingServerResponse { writer in
                let message = [UInt8](repeating: 7, count: GRPCLoad.messageBytes)
                for try await count in request.messages {
                    for _ in 0..<(Int(String(decoding: count, as: UTF8.self)) ?? 0) { try await writer.write(message) }
                }
                return [:]
            }
        }
        router.registerHandler(forMethod: Self.upload, deserializer: RawBytes(), serializer: RawBytes()) { request, _ in
            StreamingServerResponse { writer in
                var bytes = 0
                for try await message in request.messages { bytes += message.count }
                try await writer.write(Array("\(bytes)".utf8))
                return [:]
            }
        }
    }
}
