import Foundation
import FoundationNetworking
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import Telemetry

@Suite("HTTP endpoints", .timeLimit(.minutes(3)))
struct TelemetryServerTests {
    private let registry = MetricsRegistry()
    private let health = HealthRegistry()

    /// Runs a server on a free port while `body` runs.
    private func withServer(_ body: (_ port: Int) async throws -> Void) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let server = TelemetryServer(
            host: "127.0.0.1", port: 0, registry: self.registry, health: self.health,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onRunning: { listening.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run()
            }
            var iterator = ports.makeAsyncIterator()
            try await body(try #require(await iterator.next()))
            group.cancelAll()
        }
    }

    private func get(_ port: Int, _ path: String) async throws -> (status: Int, body: String, type: String?) {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
        let (data, response) = try await URLSession.shared.data(from: url)
        let http = try #require(response as? HTTPURLResponse)
        return (
            http.statusCode, String(decoding: data, as: UTF8.self), http.value(forHTTPHeaderField: "Content-Type")
        )
    }

    @Test("/metrics carries the content type of the text format")
    func metrics() async throws {
        self.registry.counter("x_total", "Things.", labels: NoLabels.allCases).increment()
        try await self.withServer { port in
            let page = try await self.get(port, "/metrics")
            #expect(page.status == 200 && page.body.hasSuffix("x_total 1\n"))
            #expect(page.type == "text/plain; version=0.0.4; charset=utf-8")
            let missing = try await self.get(port, "/nothing")
            #expect(missing.status == 404)
        }
    }

    @Test("hostile-input 24: ESC, NUL and line ends in a reason cannot steer a terminal, nor make lines of the page")
    func hostileReason() {
        let reason = "a\u{1b}[2J\0\r\n[+]database ok\nok\u{85}"
        let page = HealthPage([(check: .database, status: .failing(reason))], verbose: false)
        let safe = #"a\x1B[2J\x00\x0D\x0A[+]database ok\x0Aok\xC2\x85"#
        #expect(page.text == "[-]database failed: \(safe)\nnot ready\n")
    }

    @Test("/readyz is 503 and names the broken dependency; /livez does not care; ?verbose lists all")
    func readiness() async throws {
        for check in HealthRegistry.Check.allCases { self.health.set(check, .passing) }
        try await self.withServer { port in
            let good = try await self.get(port, "/readyz")
            #expect(good.status == 200 && good.body == "ok\n")
            self.health.set(.database, .failing("connection refused"))
            let page = try await self.get(port, "/readyz")
            #expect(page.status == 503 && page.body == "[-]database failed: connection refused\nnot ready\n")
            let live = try await self.get(port, "/livez")
            #expect(live.status == 200)
            let verbose = try await self.get(port, "/readyz?verbose").body
            #expect(verbose.contains("[+]resolver ok\n") && verbose.contains("[-]database failed"))
        }
    }

    @Test("/startupz is 503 until the start is complete")
    func startup() async throws {
        try await self.withServer { port in
            let before = try await self.get(port, "/startupz")
            self.health.started()
            let after = try await self.get(port, "/startupz")
            #expect(before.status == 503 && after.status == 200)
        }
    }

    @Test("A node is not ready before anything has been checked")
    func initialState() {
        #expect(!HealthPage(HealthRegistry().checks, verbose: false).isPassing)
    }

    @Test("A flood of header fields is answered 431 (hostile-input 42)")
    func headerFlood() async throws {
        try await self.withServer { port in
            let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            let reply = try await client.executeThenClose { inbound, outbound in
                let fields = (0..<200).map { "x-\($0): y\r\n" }.joined()
                try await outbound.write(ByteBuffer(string: "GET /livez HTTP/1.1\r\n\(fields)"))
                var iterator = inbound.makeAsyncIterator()
                return try await iterator.next().map { String(buffer: $0) } ?? ""
            }
            #expect(reply.hasPrefix("HTTP/1.1 431 "))
        }
    }
}
