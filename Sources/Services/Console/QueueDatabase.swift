public import DeliveryQueue
public import Logging
public import MailModel
public import QueueStore

/// A queue that is asked straight on its database.
public struct QueueDatabase: QueueOperations {
    private let queue: QueueAdministration

    /// Runs `body` with the queue of a database, and closes the connection afterwards.
    ///
    /// - Parameter connection: string or URI of libpq.
    public static func with(
        connection: String, logger: Logger, _ body: (QueueDatabase) async throws(ConsoleFailure) -> Void
    ) async throws(ConsoleFailure) {
        if let fault = QueueConnection.fault(in: connection) {
            throw ConsoleFailure(.configuration, "the connection string: \(fault)")
        }
        let connection = QueueConnection(connection, logger: logger)
        defer { connection.close() }
        do throws(ConsoleFailure) {
            let queue = try await Self.asked { () throws(QueueStoreError) in try await connection.queue() }
            try await body(QueueDatabase(queue: queue))
        } catch {
            throw await Self.withHelp(error, connection)
        }
    }

    /// To a login that lacks rights it says which role has them, by the name that it has in this database.
    private static func withHelp(_ failure: ConsoleFailure, _ connection: QueueConnection) async -> ConsoleFailure {
        guard failure.status == .denied else { return failure }
        let login = await connection.login() ?? "LOGIN"
        let roles = await connection.roles()
        return ConsoleFailure(
            .denied,
            """
            \(failure); run `GRANT \(roles.admin) TO \(login)` as a superuser, or as the role that ran `relayd migrate`; \
            to look at all but content, \(roles.viewer) is enough
            """)
    }

    /// Asks the database, and tells its failure as the program does.
    private static func asked<Value>(
        _ body: () async throws(QueueStoreError) -> Value
    ) async throws(ConsoleFailure) -> Value {
        do throws(QueueStoreError) {
            return try await body()
        } catch {
            throw ConsoleFailure(error)
        }
    }

    // MARK: - Looking

    public func now() async throws(ConsoleFailure) -> Timestamp {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.databaseTime() }
    }

    public func page(
        of selection: QueueSelection, after cursor: QueueCursor?, span: Int, order: QueueOrder
    ) async throws(ConsoleFailure) -> QueuePage {
        try await Self.asked { () throws(QueueStoreError) in
            try await self.queue.page(of: selection, after: cursor, span: span, isDetailed: true, order: order)
        }
    }

    public func message(_ id: MessageID) async throws(ConsoleFailure) -> StoredMessage? {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.message(id) }
    }

    public func trace(of message: MessageID) async throws(ConsoleFailure) -> [TraceEvent] {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.trace(of: message) }
    }

    public func read(
        _ message: StoredMessage, _ take: ([UInt8]) throws(ConsoleFailure) -> Bool
    ) async throws(ConsoleFailure) {
        var reader = self.queue.content(of: message)
        while true {
            let piece: [UInt8]?
            do throws(QueueStoreError) { piece = try await reader.next() } catch {
                guard error.code == .entryChanged else { throw ConsoleFailure(error) }
                throw ConsoleFailure(.badData, "message \(message.id) was done with meanwhile")
            }
            guard let piece, try take(piece) else { return }
        }
    }

    public func overview() async throws(ConsoleFailure) -> QueueOverview {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.overview() }
    }

    public func census(domains: Int) async throws(ConsoleFailure) -> QueueCensus {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.census(domains: domains) }
    }

    public func shape(of states: Set<QueueListing.State>, domains: Int) async throws(ConsoleFailure) -> QueueShape {
        try await Self.asked { () throws(QueueStoreError) in
            try await self.queue.shape(of: states, domains: domains)
        }
    }

    // MARK: - Changing

    public func count(
        _ action: QueueAction, _ selection: QueueSelection
    ) async throws(ConsoleFailure) -> QueueActionCount {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.count(action, selection) }
    }

    public func perform(
        _ action: QueueAction, on selection: QueueSelection, by actor: String, because reason: String?,
        progress: (Int) -> Void
    ) async throws(ConsoleFailure) -> QueueActionCount {
        try await Self.asked { () throws(QueueStoreError) in
            try await self.queue.perform(action, on: selection, by: actor, because: reason, progress: progress)
        }
    }

    public func flush(_ flush: DNSFlush, by actor: String, because reason: String?) async throws(ConsoleFailure) {
        try await Self.asked { () throws(QueueStoreError) in
            try await self.queue.flush(flush, by: actor, because: reason)
        }
    }

    public func rules() async throws(ConsoleFailure) -> [QueueRule] {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.rules() }
    }

    public func make(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope, until end: QueueRuleEnd, by actor: String,
        because reason: String
    ) async throws(ConsoleFailure) -> QueueRule {
        try await Self.asked { () throws(QueueStoreError) in
            try await self.queue.make(action, scope, until: end, by: actor, because: reason)
        }
    }

    public func lift(_ ids: [Int64], by actor: String, because reason: String?) async throws(ConsoleFailure) {
        _ = try await Self.asked { () throws(QueueStoreError) in
            try await self.queue.lift(ids, by: actor, because: reason)
        }
    }
}
