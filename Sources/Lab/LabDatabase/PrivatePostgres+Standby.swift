public import Foundation
import LabSupport
import Logging
public import PostgresDriver

/// Replication between two private servers, for what happens at a fail-over.
extension PrivatePostgres {
    /// The name by which a primary knows its standby.
    private static let standbyName = "standby"

    /// Starts a copy of this server in `folder`, which must not exist yet, that follows it. No COMMIT of this server is
    /// answered from then on before the standby has it.
    public func startStandby(in folder: URL) async throws -> PrivatePostgres {
        let standby = try await Self.start(.relaxed, directory: folder) { standby in
            try await ChildProcess.run(
                "\(self.binaries)/pg_basebackup",
                [
                    "-d", "\(self.connectionString()) application_name=\(Self.standbyName)", "-D", standby.dataPath,
                    "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
                ], user: self.account)
        }
        do {
            try await self.command("ALTER SYSTEM SET synchronous_standby_names = '\(Self.standbyName)'")
            try await self.command("SELECT pg_reload_conf()")
            try await self.waitForStandby()
        } catch {
            await standby.stop()
            throw error
        }
        return standby
    }

    /// Makes a standby the primary of a new timeline. Returns when it takes writes.
    public func promote() async throws { try await self.command("SELECT pg_promote()") }

    /// Waits until the standby is one that COMMITs wait for.
    private func waitForStandby() async throws {
        let question = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        let follows = try await eventually(within: .seconds(30), every: .milliseconds(50)) {
            try await self.command(question)?.get(0, as: Int64.self) == 1
        }
        guard follows else { throw LabFailure("the standby does not follow") }
    }

    /// Runs one statement as the superuser, on this very server; the first row of its answer.
    @discardableResult
    public func command(_ statement: String, database: String = "postgres") async throws -> QueryResult.Row? {
        var settings = PoolSettings(connectionString: self.connectionString(database: database))
        settings.size = 1
        settings.acquireTimeout = .seconds(20)
        settings.statementTimeout = .seconds(60)
        let pool = PostgresPool(settings, logger: .quiet)
        defer { pool.shutDown() }
        return try await pool.query(Statement(statement)).rows.first
    }
}
