import Admission
import DatabaseHealth
import DeliveryQueue
import LabSupport
import Logging
import MailModel
import NIOCore
import NIOEmbedded
import NodeState
import OperatingSystem
import QueueStore
import SMTPProtocol
import ServiceSupport
import Synchronization
import TLSEngine
import Telemetry
import TestLiterals
import TransportSecurity

@testable import Inbound

extension NodeState {
    private static let clientTLS: TLSClientContext = {
        guard let context = try? TLSClientContext() else { preconditionFailure("OpenSSL makes no context") }
        return context
    }()

    /// With nothing to say of deliveries.
    init(
        _ policy: InboundPolicy, version: UInt64 = 1, certificates: ServedCertificates? = nil,
        sites: SiteLimits = SiteLimits(SiteLimit(connections: 20))
    ) {
        self.init(
            version: version, policy: policy, certificates: certificates, destinations: DestinationRules(),
            sites: sites,
            tls: Self.clientTLS)
    }
}

extension InboundEnvironment {
    /// Offers AUTH, and has credentials judged so.
    mutating func offerAuthentication(
        _ judge: @escaping @Sendable (SASLCredentials, IPAddress) async -> SASLDecision
    ) {
        var state = self.state.current
        state.users = UserCredentials([:])
        self.state = Replaceable(state)
        self.authenticate = judge
    }
}

/// A registry's worth of metrics for one test.
func testMetrics() -> InboundMetrics {
    let registry = MetricsRegistry()
    return InboundMetrics(
        in: registry, listeners: ["smtp"],
        queueOperationDuration: DatabaseMetrics(in: registry).queueOperationDuration)
}

/// Where messages go in tests of the inbound half; each waits for the test's answer if it wants that.
final class TestStore: Sendable {
    let stored = Mutex<[AcceptedMessage]>([])
    private let gate: AsyncStream<QueueStoreError?>
    private let opener: AsyncStream<QueueStoreError?>.Continuation
    private let isGated: Bool

    init(isGated: Bool) {
        self.isGated = isGated
        (self.gate, self.opener) = AsyncStream.makeStream()
    }

    /// Answers the message that waits, or the next one.
    func answer(_ error: QueueStoreError? = nil) { self.opener.yield(error) }

    func enqueue(_ message: AcceptedMessage) async throws(QueueStoreError) {
        if self.isGated {
            for await error in self.gate {
                if let error { throw error }
                break
            }
        }
        self.stored.withLock { $0.append(message) }
    }
}

/// Counts how often the handler asks for bytes.
private final class ReadCounter: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = ByteBuffer
    let count = Mutex(0)

    func read(context: ChannelHandlerContext) {
        self.count.withLock { $0 += 1 }
        context.read()
    }
}

/// How a client can end its side of the connection.
enum HalfClose: CaseIterable {
    case socket, closeNotify, truncated

    /// What the pipeline hears of it.
    var event: any Sendable {
        switch self {
        case .socket: ChannelEvent.inputClosed
        case .closeNotify: TLSEvent.closedByPeer
        case .truncated: TLSEvent.truncated(TLSFailure(.truncated, "no close_notify"))
        }
    }
}

/// A client of the inbound half without sockets, on a clock that the test moves.
struct InboundClient {
    let channel = NIOAsyncTestingChannel()
    let store: TestStore
    private let reads = ReadCounter()

    /// Runs `body` with a client that has connected, and ends everything after it.
    static func with(
        address: IPAddress = .v4(0xC000_0201), certificates: ServedCertificates? = nil, isStoreGated: Bool = false,
        isSecured: Bool = false, domainConversion: DomainNameConversion = .none,
        limits: SMTPServerLimits = SMTPServerLimits(), patience: ClientPatience = ClientPatience(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, logsAddresses: Bool = false,
        configure: (inout InboundEnvironment) -> Void = { _ in },
        _ body: (InboundClient) async throws -> Void
    ) async throws {
        let supervisor = TaskSupervisor(backlog: 8)
        let store = TestStore(isGated: isStoreGated)
        let client = InboundClient(store: store)
        let metrics = testMetrics()
        let intake = MessageIntake(
            enqueue: { message async throws(QueueStoreError) in try await store.enqueue(message) },
            bodyWriter: { _ in preconditionFailure("no test here sends a large message") }, supervisor: supervisor,
            metrics: metrics, time: .system, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            log: InboundLog(logger, metrics: metrics, hasAddresses: logsAddresses))
        var environment = InboundEnvironment(
            session: .init(
                hostName: "relay.test", offersSTARTTLS: true, limits: limits, domainConversion: domainConversion),
            timeouts: SMTPTimeouts(), patience: patience,
            state: Replaceable(
                NodeState(
                    InboundPolicy(
                        domains: ["bravo.test": AcceptedDomain()], relayNetworks: CIDRBlock.loopback,
                        postmaster: "postmaster@bravo.test"), certificates: certificates)), intake: intake,
            metrics: metrics, time: ManualClock(), random: .system,
            stagingBudget: StagingBudget(limit: 0, time: .system))
        configure(&environment)
        try await withThrowingTaskGroup { group in
            group.addTask { await supervisor.run() }
            try await client.connect(environment, address, isSecured: isSecured)
            let result: Result<Void, any Error>
            do { result = .success(try await body(client)) } catch { result = .failure(error) }
            if client.channel.isActive { try await client.channel.close() }
            supervisor.close()
            try await group.waitForAll()
            try result.get()
        }
    }

    private init(store: TestStore) { self.store = store }

    /// - Parameter isSecured: the session takes the client for one that has done STARTTLS.
    private func connect(_ environment: InboundEnvironment, _ address: IPAddress, isSecured: Bool) async throws {
        let (channel, reads) = (self.channel, self.reads)
        try await channel.testingEventLoop.executeInContext {
            let connection = InboundConnection(environment: environment, client: address)
            if isSecured { connection.session.pretendTLS() }
            try channel.pipeline.syncOperations.addHandlers([reads, connection])
        }
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/client"))
    }

    /// Sends bytes as one segment.
    func send(_ text: String) async throws { try await self.channel.writeInbound(ByteBuffer(string: text)) }

    /// Sends bytes one by one.
    func sendSlowly(_ text: String) async throws {
        for byte in text.utf8 { try await self.channel.writeInbound(ByteBuffer(bytes: [byte])) }
    }

    /// What has come since the last question: the code of each line.
    func codes() async throws -> [String] {
        var text = ""
        while let buffer = try await self.channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text.split(separator: "\r\n").map { String($0.prefix(3)) }
    }

    /// As `codes`, waiting for the store, which answers from a thread of its own. What the event loop did in the same turn, such as
    /// to close the connection, is done by then.
    func codesWhenStored() async throws -> [String] {
        while true {
            let codes = try await self.codes()
            guard codes.isEmpty else {
                try await self.channel.testingEventLoop.executeInContext {}
                return codes
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Greeting and EHLO done, and their replies read.
    func hello() async throws {
        try await self.send("EHLO client.test\r\n")
        _ = try await self.codes()
    }

    /// Says EHLO; whether the reply has the keyword.
    func offers(_ keyword: String) async throws -> Bool {
        try await self.send("EHLO client.test\r\n")
        var text = ""
        while let buffer = try await self.channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text.split(separator: "\r\n").contains { $0.dropFirst(4) == keyword }
    }

    /// A transaction up to the 354.
    func beginData() async throws {
        try await self.hello()
        try await self.send("MAIL FROM:<alice@alpha.test>\r\nRCPT TO:<bob@bravo.test>\r\nDATA\r\n")
        _ = try await self.codes()
    }

    func advance(_ seconds: Int64) async { await self.channel.testingEventLoop.advanceTime(by: .seconds(seconds)) }

    /// Tells the handler whether the client takes bytes.
    func setWritable(_ isWritable: Bool) async throws {
        let channel = self.channel
        channel.isWritable = isWritable
        try await channel.testingEventLoop.executeInContext { channel.pipeline.fireChannelWritabilityChanged() }
    }

    /// Ends the client's side of the connection.
    func endInput(_ end: HalfClose) async throws {
        let channel = self.channel
        try await channel.testingEventLoop.executeInContext {
            channel.pipeline.fireUserInboundEventTriggered(end.event)
        }
    }

    func drain() async throws {
        let channel = self.channel
        try await channel.testingEventLoop.executeInContext {
            channel.pipeline.fireUserInboundEventTriggered(InboundConnection.Drain())
        }
    }

    var readCount: Int { self.reads.count.withLock { $0 } }
    var isOpen: Bool { self.channel.isActive }
}

extension SMTPServerSession {
    /// As if the client had done STARTTLS.
    fileprivate mutating func pretendTLS() {
        _ = self.greet()
        var content: [UInt8] = []
        for line in ["EHLO client.test\r\n", "STARTTLS\r\n"] {
            _ = self.receive(Array(line.utf8).span, content: &content)
        }
        self.tlsEstablished(TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"))
    }
}
