import Foundation
import FoundationNetworking
import Logging
import MailModel
import NIOCore
import NIOPosix
import Testing

@testable import Telemetry
@testable import TelemetryHTTP

@Suite("HTTP endpoints", .timeLimit(.minutes(3)))
struct TelemetryServerTests {
    private let registry = MetricsRegistry()
    private let health = HealthRegistry()

    /// Runs a server on a free port while `body` runs.
    private func withServer(
        limits: TelemetryLimits = TelemetryLimits(), _ body: (_ port: Int) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let server = TelemetryServer(
            host: "127.0.0.1", port: 0, registry: self.registry, health: self.health,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, limits: limits,
            onRunning: { listening.yield($0) })
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
        let page = HealthPage([(check: NodeCheck.database, status: .failing(reason))], verbose: false)
        let safe = #"a\x1B[2J\x00\x0D\x0A[+]database ok\x0Aok\xC2\x85"#
        #expect(page.text == "[-]database failed: \(safe) (stops taking and sending mail)\nnot ready\n")
    }

    @Test("/readyz is 503 and names the broken dependency; /livez does not care; ?verbose lists all")
    func readiness() async throws {
        for check in HealthRegistry.Check.allCases { self.health.set(check, .passing) }
        try await self.withServer { port in
            let good = try await self.get(port, "/readyz")
            #expect(good.status == 200 && good.body == "ok\n")
            self.health.set(.database, .failing("connection refused"))
            let page = try await self.get(port, "/readyz")
            let line = "[-]database failed: connection refused (stops taking and sending mail)\n"
            #expect(page.status == 503 && page.body == "\(line)not ready\n")
            let live = try await self.get(port, "/livez")
            #expect(live.status == 200)
            let verbose = try await self.get(port, "/readyz?verbose").body
            #expect(verbose.contains("[+]listener ok (a failure stops taking mail)\n") && verbose.contains(line))
        }
    }

    @Test("What only keeps mail from being sent is told, and leaves the node ready: mail is taken")
    func degraded() async throws {
        for check in HealthRegistry.Check.allCases { self.health.set(check, .passing) }
        self.health.set(.resolver, .degraded("no answer"))
        #expect(!self.health.isPassing(.resolver))
        let page = HealthPage(self.health.checks, verbose: false)
        let line = "[-]resolver failed: no answer (stops sending mail that needs the DNS; mail is taken)\n"
        #expect(page.isReady && page.text == "\(line)ok\n")
        self.health.set(.listener, .failing("waits for the database"))
        #expect(!HealthPage(self.health.checks, verbose: false).isReady)
    }

    @Test("?verbose tells what is remarkable, in lines that cannot pass for checks, and no node is less ready for it")
    func remarks() async throws {
        for check in HealthRegistry.Check.allCases { self.health.set(check, .passing) }
        self.health.setRemarks(["rule 1: suspend bravo.test\n[-]database failed"])
        try await self.withServer { port in
            let brief = try await self.get(port, "/readyz")
            #expect(brief.status == 200 && brief.body == "ok\n")
            let verbose = try await self.get(port, "/readyz?verbose")
            #expect(verbose.status == 200)
            #expect(verbose.body.hasSuffix("\n[ ]rule 1: suspend bravo.test\\x0A[-]database failed\nok\n"))
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
        #expect(!HealthPage(HealthRegistry().checks, verbose: false).isReady)
    }

    @Test("A check that is set by turns keeps what the latest turn said, whichever comes last")
    func turns() {
        self.health.set(.database, .passing, turn: 2)
        self.health.set(.database, .failing("an earlier decision, told late"), turn: 1)
        #expect(self.health.isPassing(.database))
        self.health.set(.database, .degraded("slow"), turn: 3)
        #expect(!self.health.isPassing(.database))
        let others = HealthRegistry.Check.allCases.filter { $0 != .database }
        for check in others {
            self.health.set(check, .passing)
            #expect(self.health.isPassing(check))
            self.health.set(check, .failing("no"))
            #expect(!self.health.isPassing(check))
        }
        #expect(self.health.checks.first { $0.check == .database }?.status == .degraded("slow"))
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

    // MARK: Clients that spend what they get

    /// Longer than anything takes on a busy machine.
    private static let patience = Duration.seconds(60)

    /// Limits under which nothing ends by itself while a test waits.
    private static var patientLimits: TelemetryLimits {
        var limits = TelemetryLimits()
        limits.request = .seconds(600)
        return limits
    }

    /// Asks like an orchestrator; the others are there meanwhile, and would be for long.
    private func expectHealth(_ port: Int, _ comment: Comment) async throws {
        for path in ["/livez", "/startupz", "/metrics"] {
            let started = ContinuousClock.now
            let page = try await self.get(port, path)
            #expect(page.status == (path == "/startupz" ? 503 : 200), comment)
            #expect(ContinuousClock.now - started < Self.patience, comment)
        }
    }

    @Test("A body is refused at once, and 64 clients whose bodies trickle keep nobody from an answer (field A8)")
    func tricklingBodies() async throws {
        try await self.withServer(limits: Self.patientLimits) { port in
            var clients: [RawClient] = []
            for index in 0..<64 {
                let length = index.isMultiple(of: 2) ? "Content-Length: 1000000" : "Transfer-Encoding: chunked"
                let client = try await RawClient(port: port)
                client.send("POST /metrics HTTP/1.1\r\nHost: x\r\n\(length)\r\n\r\n1")
                client.trickle("\r\n1")
                clients.append(client)
            }
            try await self.expectHealth(port, "beside bodies")
            // Those that were not replaced by a later one, or by the three of an orchestrator, have their answer and the end.
            for client in clients.suffix(5) {
                #expect(try await client.received(within: Self.patience).hasPrefix("HTTP/1.1 413 "))
            }
            for client in clients { client.leave() }
        }
    }

    /// Clients that ask 100 times for a page of 8 MiB, more than the sockets' buffers take, and read nothing.
    private func unreading(_ count: Int, _ port: Int) async throws -> [RawClient] {
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        var clients: [RawClient] = []
        for _ in 0..<count {
            let client = try await RawClient(port: port, isReading: false)
            client.send(String(repeating: request, count: 100))
            clients.append(client)
        }
        return clients
    }

    private func fillPage() {
        self.registry.counter("x_total", String(repeating: "x", count: 8 << 20), labels: NoLabels.allCases).increment()
    }

    @Test("Clients that pipeline requests and read nothing keep nobody from an answer (field A8)")
    func unreadAnswers() async throws {
        self.fillPage()
        try await self.withServer(limits: Self.patientLimits) { port in
            let clients = try await self.unreading(64, port)
            try await self.expectHealth(port, "beside answers that nobody reads")
            // The server waits for them before it ends.
            for client in clients { client.leave() }
        }
    }

    @Test("An answer that nobody reads ends in time (field A8)")
    func endOfUnreadAnswers() async throws {
        self.fillPage()
        var limits = TelemetryLimits()
        limits.request = .seconds(1)
        try await self.withServer(limits: limits) { port in
            let clients = try await self.unreading(8, port)
            try await Task.sleep(for: .seconds(4))
            // The deadline is over: what comes now is what the buffers held, and the end.
            for client in clients {
                let text = try await client.received(within: Self.patience)
                #expect(text.utf8.count < 8 << 20)
            }
        }
    }

    @Test("A request that does not end is given up after its time (field A8)")
    func endlessRequest() async throws {
        var limits = TelemetryLimits()
        limits.request = .seconds(1)
        try await self.withServer(limits: limits) { port in
            let client = try await RawClient(port: port)
            client.send("GET /livez HTTP/1.1\r\nX: ")
            client.trickle("y")
            #expect(try await client.received(within: Self.patience) == "")
            let flood = try await RawClient(port: port)
            flood.send(String(repeating: "\r\n", count: 64 * 1024))
            #expect(try await flood.received(within: Self.patience) == "")
        }
    }

    @Test("A client that ends its side with its request gets the whole answer")
    func halfClosed() async throws {
        self.registry.counter("x_total", String(repeating: "x", count: 4 << 20), labels: NoLabels.allCases).increment()
        try await self.withServer { port in
            let client = try await RawClient(port: port)
            client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            client.endSending()
            let text = try await client.received(within: Self.patience)
            #expect(text.hasSuffix("x_total 1\n"))
        }
    }

    @Test(
        "At its limit a client loses its oldest connection, and at the limit of all the client with the most (field A8)"
    )
    func slots() throws {
        var limits = TelemetryLimits()
        limits.connections = 4
        limits.connectionsPerClient = 3
        var slots = TelemetrySlots(limits: limits)
        let (one, two) = (IPAddress("192.0.2.1"), IPAddress("192.0.2.2"))
        let first = (0..<3).map { _ in slots.admit(one) }
        #expect(first.allSatisfy { $0.evicted == nil })
        #expect(slots.admit(one).evicted == first[0].id)
        // One that has its answer goes before an older one.
        slots.answered(first[2].id)
        #expect(slots.admit(one).evicted == first[2].id)
        #expect(slots.admit(two).evicted == nil)
        #expect(slots.admit(two).evicted == first[1].id)
        #expect(slots.count == 4)
        // One network of IPv6 is one client.
        var networks = TelemetrySlots(limits: limits)
        let ids = (1...3).map { networks.admit(IPAddress("2001:db8::\($0)")).id }
        #expect(networks.admit(IPAddress("2001:db8::4")).evicted == ids[0])
        #expect(networks.admit(IPAddress("2001:db8:0:1::4")).evicted == nil)
    }
}
