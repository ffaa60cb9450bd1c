import ControlStore
import Logging
import MailModel
import PostgresDriver
import ServiceLifecycle
import ServiceSupport
import Telemetry

/// Waits for the database, so that a replica may be started before it. `/readyz` says what it waits for, and the log does
/// whenever that changes.
struct ControllerStart: Sendable {
    /// Between two tries.
    private static let interval = Duration.seconds(1)

    let store: ControlStore
    let health: HealthChecks<ControllerCheck>
    let clock: any NodeClock
    let logger: Logger

    /// What `open` makes of a database that answers, or `nil` when the replica is shut down before. Throws a `StartFault` where
    /// waiting is of no use.
    func run<Opened: Sendable>(_ open: () async throws -> Opened) async throws -> Opened? {
        self.health.set(.cluster, .failing("waits for the database"))
        // Whoever waits for a connection hears of the shutdown at once.
        return try await withGracefulShutdownHandler {
            var told: ControlStoreError.Code?
            while !Task.isShuttingDownGracefully {
                do {
                    let opened = try await self.opened(open)
                    guard !Task.isShuttingDownGracefully else { return nil }
                    if told != nil { self.logger.notice("the database answers") }
                    return opened
                } catch let error as ControlStoreError {
                    if Task.isShuttingDownGracefully { return nil }
                    try await self.tell(error, &told)
                }
                // A shutdown ends it early.
                try? await cancelWhenGracefulShutdown { try await self.clock.sleep(for: Self.interval) }
            }
            return nil
        } onGracefulShutdown: {
            self.store.pool.shutDown()
        }
    }

    private func opened<Opened>(_ open: () async throws -> Opened) async throws -> Opened {
        if let version = try await self.store.checkSchema() {
            self.logger.warning(
                "the schema of the database is newer than this program, which may work with it: upgrade this replica",
                metadata: ["schema": .stringConvertible(version)])
        }
        return try await open()
    }

    /// Tells what is waited for, when that has changed. Throws where waiting is of no use.
    private func tell(_ error: ControlStoreError, _ told: inout ControlStoreError.Code?) async throws {
        let user = try? await self.login()
        if let fault = StartFault(error, user: user ?? "the login of database.connection") { throw fault }
        guard [.unreachable, .busy].contains(error.code) else { throw error }
        let words = "\(error.code == .busy ? "is too busy" : "cannot be reached"): \(error.message.prefix(300))"
        self.health.set(.database, .failing(words))
        if error.code != told {
            self.logger.error("waiting for the database", metadata: [LogKey.reason: "\(words)"])
        }
        told = error.code
    }

    /// The name of the login, as the database knows it.
    private func login() async throws(PostgresError) -> String {
        try await self.store.pool.query(Statement("SELECT session_user::text")).single().get(0)
    }
}
