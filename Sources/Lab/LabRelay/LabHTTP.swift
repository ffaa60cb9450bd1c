import Foundation
import LabSupport
import NIOCore
import NIOPosix

/// Just enough HTTP to read a page of a server on loopback.
enum LabHTTP {
    struct Response: Sendable {
        let status: Int
        let body: String
    }

    /// The largest answer that is read.
    private static let limit = 16 << 20

    /// Asks as HTTP/1.0 does, so that the body is plain and ends with the connection.
    static func get(_ path: String, port: UInt16, within limit: Duration = .seconds(5)) async throws -> Response {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(2))
            .connect(host: "127.0.0.1", port: Int(port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        // The deadline closes the channel, and that ends the reading.
        let deadline = channel.channel.eventLoop.scheduleTask(in: TimeAmount(limit)) {
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        let answer = try await channel.executeThenClose { inbound, outbound in
            let lines = ["GET \(path) HTTP/1.0", "Host: 127.0.0.1", "Connection: close", "", ""]
            try await outbound.write(ByteBuffer(string: lines.joined(separator: "\r\n")))
            var answer = ByteBuffer()
            for try await part in inbound {
                answer.writeImmutableBuffer(part)
                guard answer.readableBytes <= Self.limit else { break }
            }
            return answer
        }
        return try Self.parse(String(buffer: answer))
    }

    private static func parse(_ text: String) throws(LabFailure) -> Response {
        guard let headerEnd = text.range(of: "\r\n\r\n"),
            let status = text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap({ Int($0) })
        else { throw LabFailure("no HTTP answer: \(text.prefix(100))") }
        return Response(status: status, body: String(text[headerEnd.upperBound...]))
    }
}
