import Foundation
import GRPCCore
import GRPCTransport
import LabSupport
import NIOCore
import Testing

/// Programs of others, one after the other: some take much memory, and some tests measure it.
@Suite("Peers", .serialized) enum Peers {}

extension Peers {
    /// gRPC's own implementation in C++, by way of Python, against ours.
    @Suite(
        "Interoperation with grpcio", .timeLimit(.minutes(5)),
        .enabled(if: PythonPeer.isThere, "grpcio is not installed"))
    struct InteroperationTests {
        let world: InteropWorld
        init() throws { self.world = try InteropWorld() }

        /// The cases that did not end with "ok".
        private func failures(_ lines: [String], _ count: Int) -> [String] {
            let failures = lines.filter { !$0.hasSuffix(" ok") }
            return lines.count < count ? failures + ["only \(lines.count) lines of \(count)"] : failures
        }

        @Test("grpcio's client calls our server: fourteen cases of interoperability and nine more")
        func theirClient() async throws {
            var configuration = try self.world.serverConfiguration()
            configuration.connection.http2.concurrentStreams = 2_000
            let lines = try await withInteropServer(configuration) { _, addresses in
                let target = "127.0.0.1:\(addresses.first?.port ?? 0)"
                return try await self.world.run(
                    "grpcio_client", [target] + self.world.clientFiles())
            }
            #expect(self.failures(lines, 23) == [])
        }

        @Test("control 31: handlers learn whose certificate grpcio's client has, and that it has none")
        func identity() async throws {
            let lines = try await withInteropServer(try self.world.serverConfiguration()) { _, addresses in
                let target = "127.0.0.1:\(addresses.first?.port ?? 0)"
                let files = [try self.world.clientFiles(), try self.world.clientFiles(withCertificate: false)]
                var lines: [String] = []
                for arguments in files {
                    lines += try await self.world.run("grpcio_client", [target, "--case", "who"] + arguments)
                }
                return lines
            }
            #expect(lines == ["you are CN=edge [\"relay://lab/node/edge\"]", "who ok", "you are nobody", "who ok"])
        }

        /// Our client's cases that fail against a server.
        private func failures(_ addresses: [TransportAddress]) async throws -> [String] {
            try await withInteropClient(try self.world.clientConfiguration(addresses)) { client in
                var failures: [String] = []
                for (name, body) in InteropCases.all {
                    do {
                        try await withLimit(.seconds(30)) { try await body(InteropCases(client: client)) }
                    } catch { failures.append("\(name): \(error)") }
                }
                return failures
            }
        }

        @Test("Our client calls grpcio's server: fourteen cases of interoperability and seven more")
        func theirServer() async throws {
            let failures = try await self.world.withPythonServer(try self.world.serverFiles()) { port in
                try await self.failures([.host("127.0.0.1", port: port)])
            }
            #expect(failures == [])
        }

        @Test("Our client calls our server: the same cases")
        func ourselves() async throws {
            var configuration = try self.world.serverConfiguration()
            configuration.connection.http2.concurrentStreams = 2_000
            let failures = try await withInteropServer(configuration) { _, addresses in
                try await self.failures([.host("127.0.0.1", port: addresses.first?.port ?? 0)])
            }
            #expect(failures == [])
        }
    }
}
