import Console
import DeliveryQueue
import Foundation
import GRPCCore
import GRPCTransport
import LabDatabase
import LabSupport
import Logging
import MailModel
import NIOPosix
import PostgresDriver
import QueueService
import QueueStore
import Synchronization
import Testing

/// A queue in a database of its own, and a console on it whose output is caught.
struct ConsoleFixture {
    let connection: String
    let writer: QueueWriter
    private let database: PrivateDatabase
    private let pool: PostgresPool

    static func run(
        roles: String = QueueRoles.usualPrefix, _ body: (ConsoleFixture) async throws -> Void
    ) async throws {
        try await PrivateDatabase.with("console") { database in
            let fixture = try await Self(database, roles)
            defer { fixture.pool.shutDown() }
            try await body(fixture)
        }
    }

    private init(_ database: PrivateDatabase, _ roles: String) async throws {
        self.database = database
        self.connection = database.connectionString()
        try await database.makeQueue(shards: 4, roles: try #require(QueueRoles(prefix: roles)))
        self.pool = database.pool(QueueStore.poolSettings)
        let store = try await QueueStore(pool: self.pool, node: "node-a")
        self.writer = QueueWriter(pool: self.pool, map: store.shardMap, node: "node-a")
    }

    /// Stores one message; its id.
    @discardableResult
    func enqueue(
        to domains: String..., from sender: String = "alice@alpha.test", body: String = "Subject: x\r\n\r\nHello\r\n",
        at moment: Timestamp = Timestamp(seconds: 1_700_000_000)
    ) async throws -> MessageID {
        let id = MessageID(at: moment, random: .random(in: .min ... .max))
        let entries = try domains.map { name in
            AcceptedEntry(
                domain: try #require(DomainName(name)), recipients: [QueueRecipient(address: "bob@\(name)")])
        }
        try await self.writer.enqueue(
            AcceptedMessage(id: id, sender: sender, entries: entries, body: .inline(Array(body.utf8))))
        return id
    }

    /// Stores one message for several recipients of a domain; its id.
    @discardableResult
    func enqueue(_ names: [String], at domain: String) async throws -> MessageID {
        let id = MessageID(at: Timestamp(seconds: 1_700_000_000), random: .random(in: .min ... .max))
        let entry = AcceptedEntry(
            domain: try #require(DomainName(domain)),
            recipients: names.map { QueueRecipient(address: "\($0)@\(domain)") })
        try await self.writer.enqueue(
            AcceptedMessage(id: id, sender: "alice@alpha.test", entries: [entry], body: .inline([13, 10])))
        return id
    }

    /// Has a domain's mail wait for an hour, since its host did not answer.
    func fail(_ domain: String) async throws {
        try await self.pool.script(
            """
            UPDATE relay.ready SET next_attempt_at = now() + interval '1 hour', attempts = 1, last_status = '4.4.1',
                last_reason = 'connection-timeout' WHERE domain = '\(domain)';
            INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt, mx_host)
            SELECT shard, message_id, 'DEFER', 'node-a', domain, '', 1, 'mx.\(domain)' FROM relay.ready
            WHERE domain = '\(domain)'
            """)
    }

    /// Has a domain's mail be so old.
    func age(_ domain: String, minutes: Int) async throws {
        try await self.pool.script(
            "UPDATE relay.ready SET arrived_at = now() - interval '\(minutes) minutes' WHERE domain = '\(domain)'")
    }

    /// There are as many standing rules as there may be.
    func fillRules() async throws {
        try await self.pool.script(
            """
            INSERT INTO relay.queue_rule (action, scope, until, reason, actor)
            SELECT 'suspend', 'd' || i || '.test', now() + interval '1 hour', 'x', 'x'
            FROM generate_series(1, \(QueueRules.most)) AS i
            """)
    }

    /// What the record of the last operation says that was selected.
    func recordedSelection() async throws -> String {
        try await self.pool.query(
            Statement("SELECT selection FROM relay.administration ORDER BY began_at DESC LIMIT 1")
        ).single().get(0)
    }

    /// A database without a queue.
    var emptyDatabase: String { self.database.server.connectionString() }

    /// The connection of a role without any rights.
    func connectionOfNobody() async throws -> String {
        try await self.database.makeLogin("console_nobody")
        return self.database.connectionString(as: "console_nobody")
    }

    /// What a command wrote, said and asked, and how it ended.
    struct Transcript {
        var output = ""
        var said: [String] = []
        var asked: [String] = []
        var failure: ConsoleFailure?

        var json: [String: Any] {
            get throws {
                try #require(try JSONSerialization.jsonObject(with: Data(self.output.utf8)) as? [String: Any])
            }
        }
    }

    /// A command with its arguments.
    enum Command: Sendable {
        case list(
            EntrySelection = EntrySelection(), limit: Int = 0, after: String? = nil, order: QueueOrder = .key)
        case show(String)
        case cat(String, ContentPart = .all)
        case shape([QueueListing.State], limit: Int)
        case summary(isExact: Bool)
        case perform(ActionRequest)
        case flush(DNSFlushRequest)
        case make(RuleRequest)
        case resume(ResumeRequest)
        case rules

        func run(on console: QueueConsole) async throws(ConsoleFailure) {
            switch self {
            case .list(let selection, let limit, let after, let order):
                try await console.list(selection, limit: limit, after: after, order: order)
            case .show(let id): try await console.show(id)
            case .cat(let id, let part): try await console.cat(id, part)
            case .shape(let states, let limit): try await console.shape(states, limit: limit)
            case .summary(let isExact): try await console.summarize(isExact: isExact)
            case .perform(let request): try await console.perform(request)
            case .flush(let request): try await console.flush(request)
            case .make(let request): try await console.make(request)
            case .resume(let request): try await console.resume(request)
            case .rules: try await console.rules()
            }
        }
    }

    /// Which way a command goes to the queue.
    enum Way { case database, controller }

    /// Runs a command; `answer` is a person's at a terminal, `nil` where there is none.
    func run(
        _ command: Command, _ format: OutputFormat = .json, connection: String? = nil, answer: Bool? = nil,
        isShown: Bool = false, by way: Way = .database
    ) async -> Transcript {
        let box = Box()
        var confirm: (@Sendable (String) -> Bool)?
        if let answer {
            confirm = { question in
                box.change { $0.asked.append(question) }
                return answer
            }
        }
        let terminal = ConsoleTerminal(
            write: { bytes in box.change { $0.output += String(decoding: bytes, as: UTF8.self) } }, isShown: isShown,
            say: { line in box.change { $0.said.append(line) } }, confirm: confirm)
        do throws(ConsoleFailure) {
            let connection = connection ?? self.connection
            try await Self.withQueue(way, connection) { (queue) throws(ConsoleFailure) in
                try await command.run(
                    on: QueueConsole(queue: queue, format: format, terminal: terminal, time: ManualClock()))
            }
        } catch {
            box.change { $0.failure = error }
        }
        return box.value
    }

    private static func withQueue(
        _ way: Way, _ connection: String, _ body: (any QueueOperations) async throws(ConsoleFailure) -> Void
    ) async throws(ConsoleFailure) {
        switch way {
        case .database:
            try await QueueDatabase.with(connection: connection, logger: .quiet) { (queue) throws(ConsoleFailure) in
                try await body(queue)
            }
        case .controller:
            let connection = QueueConnection(connection, logger: .quiet)
            defer { connection.close() }
            do {
                try await Self.serving(connection) { client in try await body(QueueOfController(client: client)) }
            } catch {
                throw error as? ConsoleFailure ?? ConsoleFailure(.failed, "\(error)")
            }
        }
    }

    /// Serves the queue of a database on a Unix socket, to a client.
    private static func serving(
        _ connection: QueueConnection, _ body: (GRPCClient<GRPCClientTransport>) async throws -> Void
    ) async throws {
        let address = TransportAddress.unix(path: "/tmp/relay-queue-\(UInt64.random(in: 0 ... .max))")
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = GRPCServerTransport(
            .init(addresses: [address], security: .none, random: { 0.5 }), group: group)
        let provider = QueueServiceProvider(connection: connection, caller: { "olga@ops" })
        let server = GRPCServer(transport: listener, services: [provider])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.serve() }
            defer { tasks.cancelAll() }
            #expect(await !listener.listeningAddresses.isEmpty)
            let transport = GRPCClientTransport(
                .init(addresses: [address], security: .none, authority: "test", random: { 0.5 }), group: group)
            try await withGRPCClient(transport: transport) { client in try await body(client) }
        }
    }

    private final class Box: Sendable {
        private let state = Mutex(Transcript())
        var value: Transcript { self.state.withLock { $0 } }
        func change(_ body: (inout Transcript) -> Void) { self.state.withLock { body(&$0) } }
    }
}
