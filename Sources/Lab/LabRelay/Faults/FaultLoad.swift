import LabPeers
import LabSupport
import MailModel
import Synchronization
import TLSEngine

/// A light load on a lab's relay while faults are staged, and its proof in the end.
///
/// ```swift
/// let load = FaultLoad(lab, to: ["bravo.test"])
/// try await load.run {
///     for _ in 0..<10 {
///         await lab.relayd.kill()
///         try await lab.relayd.launch()
///         try await load.acceptsAgain(within: .seconds(30))
///     }
/// }
/// let verdict = try await load.verdict(within: .seconds(60))
/// ```
/// The domains' peers must keep `arrivals`.
public final class FaultLoad: Sendable {
    private static let messagesPerConnection = 5
    /// The size of a message in bytes.
    private static let messageSize = 2048
    /// How long a connection waits for an answer; a stopped node gives none.
    private static let patience = Duration.seconds(5)

    private struct State {
        var record = FaultRecord()
        var longestWait = Duration.zero
    }

    private let lab: LabRelay
    private let domains: [String]
    private let ports: [UInt16]
    private let connections: Int
    private let pause: Duration
    private let state = Mutex(State())

    /// A load for these domains.
    ///
    /// - Parameters:
    ///   - ports: of 127.0.0.1; the relay's own unless others are named.
    ///   - connections: to each port at once, of five messages each.
    ///   - pause: between these rounds, so that the machine has time for the faults, and slow peers for the mail.
    public init(
        _ lab: LabRelay, to domains: [String], ports: [UInt16]? = nil, connections: Int = 4,
        pause: Duration = .milliseconds(200)
    ) {
        precondition(!domains.isEmpty)
        self.lab = lab
        self.domains = domains
        self.ports = ports ?? [lab.smtpPort]
        self.connections = connections
        self.pause = pause
    }

    /// Keeps the load on while `body` runs, and remembers what was answered 250.
    public func run<Value: Sendable>(while body: () async throws -> Value) async throws -> Value {
        let tls = try TLSClientContext()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for port in self.ports {
                let client = self.client(port: port, tls: tls)
                group.addTask {
                    // Whoever is cancelled still says what was acknowledged.
                    while !Task.isCancelled {
                        self.remember(await client.run())
                        try? await Task.sleep(for: self.pause)
                    }
                }
            }
            let result: Result<Value, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            group.cancelAll()
            try await group.waitForAll()
            return try result.get()
        }
    }

    /// Sends so many messages, round about to all domains; throws when one of them is not accepted.
    public func send(_ count: Int) async throws {
        var client = self.client(port: self.ports[0], tls: try TLSClientContext())
        client.connections = min(count, self.connections)
        client.messagesPerConnection = (count + client.connections - 1) / client.connections
        let report = await client.run()
        self.remember(report)
        guard report.acknowledged.count >= count else {
            throw LabFailure("\(report.acknowledged.count) of \(count) accepted: \(report.refused) \(report.failures)")
        }
    }

    /// Call it when a fault is over: offers a message again and again until it is answered 250, and gives the time that it took.
    @discardableResult
    public func acceptsAgain(within limit: Duration, port: UInt16? = nil) async throws -> Duration {
        let start = ContinuousClock.now
        var client = self.client(port: port ?? self.ports[0], tls: try TLSClientContext())
        client.connections = 1
        client.messagesPerConnection = 1
        while ContinuousClock.now - start < limit {
            let report = await client.run()
            self.remember(report)
            guard report.acknowledged.isEmpty else {
                let wait = ContinuousClock.now - start
                self.state.withLock { $0.longestWait = max($0.longestWait, wait) }
                return wait
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw LabFailure("no message was accepted within \(limit)")
    }

    /// The longest that `acceptsAgain` has taken.
    public var longestWait: Duration { self.state.withLock { $0.longestWait } }

    /// Waits until the queue is empty, and holds what arrived against what was acknowledged. Throws when mail is left.
    public func verdict(within limit: Duration) async throws -> FaultVerdict {
        guard await self.lab.becomesEmpty(within: limit) else { throw LabFailure("mail is left after \(limit)") }
        return try await self.record().verdict
    }

    /// All that is known of each message so far.
    public func record() async throws -> FaultRecord {
        var record = self.state.withLock { $0.record }
        for domain in self.domains { record.arrived(self.lab.peer(domain).server.arrivals) }
        record.interrupted(try await self.lab.uncertainAttempts())
        return record
    }

    private func remember(_ report: LoadClient.Report) {
        self.state.withLock { $0.record.acknowledge(report.acknowledged) }
    }

    private func client(port: UInt16, tls: TLSClientContext) -> LoadClient {
        var client = LoadClient(port: port, tls: tls)
        client.connections = self.connections
        client.messagesPerConnection = Self.messagesPerConnection
        client.messageSize = Self.messageSize
        client.patience = Self.patience
        let domains = self.domains
        client.recipient = { "sink@\(domains[$0 % domains.count])" }
        return client
    }
}
