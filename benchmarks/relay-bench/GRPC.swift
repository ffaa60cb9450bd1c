import ArgumentParser
import Foundation
import GRPCCore
import GRPCTransport
import LabSupport
import NIOCore
import NIOPosix

struct GRPC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grpc",
        abstract: "Measure calls and streamed bytes of the control channel's transports, over TLS on loopback.",
        discussion: "Client and server run in one process, so a call's processor time is that of both.")

    @Option(name: .long, help: "Unary calls, in all.")
    var calls = 20_000

    @Option(name: .long, help: "Calls that are open at a time.")
    var concurrency = 100

    @Option(name: .long, help: "Bytes of each unary message.")
    var size = 100

    @Option(name: .long, help: "MiB to stream in each direction, in messages of 64 KiB.")
    var stream = 512

    @Option(name: .long, help: "Rounds; each transport warms up in one more, which is not told.")
    var rounds = 3

    @Option(name: .long, help: "The program of benchmarks/grpc-nio, to measure grpc-swift's own transport in turn.")
    var rival: String?

    func validate() throws {
        guard self.calls > 0, self.concurrency > 0, self.size >= 0, self.stream > 0, self.rounds > 0 else {
            throw ValidationError("Give calls, concurrency, MiB and rounds above 0.")
        }
    }

    func run() async throws {
        let world = try GRPCWorld()
        let server = GRPCServerTransport(
            try world.server(streams: self.concurrency + 1), group: MultiThreadedEventLoopGroup.singleton)
        try await withGRPCServer(transport: server, services: [MeasuredService()]) { _ in
            guard let port = await server.listeningAddresses.first?.port else { throw LabFailure("no port") }
            let client = GRPCClientTransport(
                try world.client(port: port), group: MultiThreadedEventLoopGroup.singleton)
            try await withGRPCClient(transport: client) { client in
                let load = GRPCLoad(
                    calls: self.calls, concurrency: self.concurrency, size: self.size, stream: self.stream)
                let measurement = GRPCMeasurement(client: client, load: load)
                _ = try await measurement.round()
                for round in 1...self.rounds {
                    print("round \(round), nghttp2", try await measurement.round(), separator: "\n")
                    guard let rival = self.rival else { continue }
                    print("round \(round), swift-nio-http2", try await self.measure(rival, world), separator: "\n")
                }
            }
        }
    }

    private func measure(_ rival: String, _ world: GRPCWorld) async throws -> String {
        let folder = try LabFolder.temporary()
        defer { try? FileManager.default.removeItem(at: folder.url) }
        let load = [self.calls, self.concurrency, self.size, self.stream].map { "\($0)" }
        return try await ChildProcess.run(rival, load + world.files(in: folder.url), limit: .seconds(600))
    }
}
