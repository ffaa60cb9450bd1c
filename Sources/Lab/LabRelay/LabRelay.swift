import Foundation
public import LabDNS
public import LabDatabase
public import LabPeers
public import LabSupport
public import MailModel
import PostgresDriver
public import QueueStore

/// A whole small world on loopback with a real relay in it: what demo, integration tests and benchmarks stand on.
///
/// A private PostgreSQL, a DNSSEC-signed Internet, an MX host for each domain, and a `relayd` process configured for them,
/// ready to take mail.
///
/// ```swift
/// try await LabRelay.with([.dane("bravo.test"), .forgedCertificate("forged.test")]) { lab in
///     let id = try await lab.submit(to: "bob@bravo.test")
///     let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
///     #expect(lab.peer("bravo.test").server.messageCount == 1)
/// }
/// ```
public final class LabRelay: Sendable {
    /// The name of the node, in greetings and trace rows.
    public static let nodeName = "relay.test"

    /// All files: configuration, logs, keys, database.
    public let folder: LabFolder
    /// The database server.
    public let postgres: PrivatePostgres
    /// The name servers.
    public let internet: SignedInternet
    /// Who signed all certificates here.
    public let pki: TestPKI
    /// The relay.
    public let relayd: RelaydProcess
    /// Where the relay takes mail, on 127.0.0.1.
    public let smtpPort: UInt16
    /// The port of all MX hosts.
    public let deliveryPort: UInt16
    /// A view of the queue, as the database's superuser.
    public let store: QueueStore
    /// The controller that the relay follows; `nil` where its settings say everything.
    public let cluster: LabCluster?
    private let peers: [String: LabPeer]
    private let nodes: LabNodes

    init(
        parts: LabRelayParts, internet: SignedInternet, peers: [String: LabPeer], postgres: PrivatePostgres,
        store: QueueStore, nodes: LabNodes, relayd: RelaydProcess, cluster: LabCluster? = nil
    ) {
        self.folder = parts.folder
        self.pki = parts.pki
        self.smtpPort = parts.smtpPort
        self.deliveryPort = parts.deliveryPort
        self.internet = internet
        self.peers = peers
        self.postgres = postgres
        self.store = store
        self.nodes = nodes
        self.relayd = relayd
        self.cluster = cluster
    }

    /// Starts a lab, lets `body` use it, and ends it whatever happens.
    public static func with<Value: Sendable>(
        _ domains: [LabDomain], _ options: LabRelayOptions = LabRelayOptions(),
        _ body: (LabRelay) async throws -> Value
    ) async throws -> Value {
        let lab = try await Self.start(domains, options)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(lab))
        } catch {
            result = .failure(error)
        }
        await lab.stop()
        return try result.get()
    }

    /// Ends everything and removes the folder, unless it is kept. The relay gets `patience` to drain.
    public func stop(patience: Duration = .seconds(5)) async {
        await self.nodes.stop(patience: patience)
        await self.cluster?.controller.stop()
        self.store.pool.shutDown()
        for peer in self.peers.values { await peer.server.stop() }
        await self.internet.stopServer()
        if self.folder.isKept { await self.postgres.stopImmediately() } else { await self.postgres.stop() }
        self.folder.remove()
    }

    /// The MX host of one of the domains that the lab was started with.
    public func peer(_ domain: String) -> LabPeer {
        guard let peer = self.peers[domain] else { preconditionFailure("the lab was started without \(domain)") }
        return peer
    }

    /// One more node on the same queue, not started yet; it ends with the lab. Two of the same name are two runs of one node.
    ///
    /// - Parameters:
    ///   - settings: as in `LabRelayOptions`, before its own.
    ///   - control: the settings with which it follows a controller, if it does.
    public func addNode(
        _ name: String, settings: [String: String] = [:], following control: [String: String]? = nil,
        environment: [String: String] = [:]
    ) throws -> LabNode {
        try self.nodes.add(name, settings: settings, following: control, environment: environment)
    }

    // MARK: Mail

    /// Submits one message over STARTTLS; the id under which it was queued, or a failure with the reply of a refusal.
    @discardableResult
    public func submit(
        from reversePath: String = "alice@alpha.test", to recipients: String..., message: String? = nil
    ) async throws -> MessageID {
        try await self.submit(from: reversePath, to: recipients, message: message)
    }

    /// The same, with any number of recipients.
    public func submit(
        from reversePath: String = "alice@alpha.test", to recipients: [String], message: String? = nil
    ) async throws -> MessageID {
        let content = message ?? Self.message(from: reversePath, to: recipients)
        let reply = try await SMTPDialog.with(port: self.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            let reply = try await smtp.submit(from: reversePath, to: recipients, content)
            try await smtp.say("QUIT")
            return reply
        }
        guard reply.code == 250, let id = reply.messageID else { throw LabFailure("not queued: \(reply)") }
        return id
    }

    /// A short message with a Message-ID of its own.
    public static func message(
        from sender: String, to recipients: [String], subject: String = "Hello", text: String = "How do you do?"
    ) -> String {
        """
        From: <\(sender)>
        To: \(recipients.map { "<\($0)>" }.joined(separator: ", "))
        Message-ID: <\(UUID().uuidString)@client.test>
        Subject: \(subject)

        \(text)

        """
    }

    // MARK: What became of it

    /// The life of a message so far, the earliest event first.
    public func trace(of id: MessageID) async throws -> [TraceEvent] { try await self.store.trace(of: id) }

    /// Waits until the trace of a message is as wanted; fails with the trace as it is when time is up.
    @discardableResult
    public func wait(
        for id: MessageID, within limit: Duration = .seconds(20), until condition: ([TraceEvent]) -> Bool
    ) async throws -> [TraceEvent] {
        let deadline = ContinuousClock.now + limit
        while true {
            let trace = try await self.trace(of: id)
            if condition(trace) { return trace }
            guard ContinuousClock.now < deadline else {
                let events = trace.map { event in
                    "\(event.kind.rawValue) \(event.reason ?? "") \(event.reply ?? "")"
                }
                throw LabFailure("\(id): after \(limit) its trace is \(events)")
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// The first event after the reception: the outcome of the first attempt.
    public func firstOutcome(of id: MessageID, within limit: Duration = .seconds(20)) async throws -> TraceEvent {
        let trace = try await self.wait(for: id, within: limit) { $0.contains { $0.kind != .receive } }
        guard let event = trace.first(where: { $0.kind != .receive }) else { throw LabFailure("\(id) has no outcome") }
        return event
    }

    /// How much is in the queue.
    public func queueSummary() async throws -> QueueSummary { try await self.store.summary() }
}
