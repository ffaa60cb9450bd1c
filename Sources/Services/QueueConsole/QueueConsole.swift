public import Logging
import MailModel
import PostgresDriver
import QueueStore

/// The commands of `relayctl queue`: asks the queue, and writes what it says for people or for programs.
public struct QueueConsole: Sendable {
    let queue: QueueAdministration
    let terminal: ConsoleTerminal
    let format: OutputFormat

    /// Runs `body` with the queue of a database, and closes the connection afterwards.
    ///
    /// - Parameter connection: string or URI of libpq.
    public static func with(
        connection: String, format: OutputFormat, terminal: ConsoleTerminal, logger: Logger,
        _ body: (QueueConsole) async throws(ConsoleFailure) -> Void
    ) async throws(ConsoleFailure) {
        if let fault = ConnectionString.fault(in: connection) {
            throw ConsoleFailure(.configuration, "the connection string: \(fault)")
        }
        let pool = PostgresPool(QueueAdministration.poolSettings(connectionString: connection), logger: logger)
        defer { pool.shutDown() }
        do throws(ConsoleFailure) {
            let queue = try await Self.asked { () throws(QueueStoreError) in try await QueueAdministration(pool: pool) }
            try await body(QueueConsole(queue: queue, terminal: terminal, format: format))
        } catch {
            throw await Self.withHelp(error, pool)
        }
    }

    /// To a login that lacks rights it says which role has them, by the name that it has in this database.
    private static func withHelp(_ failure: ConsoleFailure, _ pool: PostgresPool) async -> ConsoleFailure {
        guard failure.status == .denied else { return failure }
        let login = await QueueRoles.login(pool) ?? "LOGIN"
        let roles = await QueueRoles.ofSchema(pool) ?? .usual
        return ConsoleFailure(
            .denied,
            """
            \(failure); run `GRANT \(roles.admin) TO \(login)` as a superuser, or as the role that ran `relayd migrate`; \
            to look at all but content, \(roles.viewer) is enough
            """)
    }

    /// Asks the queue, and tells its failure as the program does.
    static func asked<Value>(
        _ body: () async throws(QueueStoreError) -> Value
    ) async throws(ConsoleFailure) -> Value {
        do throws(QueueStoreError) {
            return try await body()
        } catch {
            throw ConsoleFailure(error)
        }
    }

    /// The database's clock, by which ages are reckoned.
    func now() async throws(ConsoleFailure) -> Timestamp {
        try await Self.asked { () throws(QueueStoreError) in try await self.queue.databaseTime() }
    }

    /// Writes one document, or lines for people.
    func write(_ document: OutputValue, table: () -> [String]) throws(ConsoleFailure) {
        switch self.format {
        case .table: for line in table() { try self.terminal.print(line) }
        case .json, .jsonl: try self.terminal.print(document.json)
        case .yaml: try self.terminal.print(document.yaml)
        }
    }
}
