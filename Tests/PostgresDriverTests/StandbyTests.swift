import Foundation
import LabDatabase
import PostgresDriver
import Testing

/// A primary and its synchronous standby.
@Suite("Standby and fail-over (hostile-input 31)", .timeLimit(.minutes(3)))
struct StandbyTests {
    /// Two servers, and the connection string that names both, the standby first if wanted.
    private struct Pair {
        let primary: PrivatePostgres
        let standby: PrivatePostgres
        let history = PrimaryHistory()

        func pool(_ hosts: [PrivatePostgres], choice: String = "", _ deadline: Duration = .seconds(20)) -> PostgresPool
        {
            makePool(self.primary) {
                let folders = hosts.map(\.directory.path).joined(separator: ",")
                $0.connectionString = "host=\(folders) port=5432 dbname=postgres user=postgres \(choice)"
                $0.primaries = self.history
                $0.acquireTimeout = deadline
                $0.statementTimeout = deadline
            }
        }
    }

    private func run(_ body: (Pair) async throws -> Void) async throws {
        try await PrivatePostgres.withServer { primary in
            let folder = URL(filePath: "\(primary.directory.path)-standby")
            let standby = try await primary.startStandby(in: folder)
            let result: Result<Void, any Error>
            do {
                try await body(Pair(primary: primary, standby: standby))
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await standby.stop()
            try result.get()
        }
    }

    @Test("hostile-input 31: landed on a standby, the pool goes on to the primary, and with a standby alone says so")
    func standby() async throws {
        try await self.run { pair in
            let pool = pair.pool([pair.standby, pair.primary])
            defer { pool.shutDown() }
            try await pool.query(Statement("CREATE TABLE written ()"))
            let alone = pair.pool([pair.standby], .seconds(2))
            defer { alone.shutDown() }
            #expect(await failure { _ = try await alone.backend() }?.code == .readOnlyServer)
        }
    }

    @Test("hostile-input 31: a former primary that comes back is not used, nor are connections to it that stand")
    func formerPrimary() async throws {
        try await self.run { pair in
            let both = pair.pool([pair.primary, pair.standby], choice: "target_session_attrs=read-write")
            defer { both.shutDown() }
            try await both.query(Statement("CREATE TABLE written (server text)"))
            await pair.primary.stopImmediately()
            try await pair.standby.promote()
            try await both.query(Statement("INSERT INTO written VALUES ('new')"))

            // It takes writes as before, and nobody keeps it down.
            try await pair.primary.restart(with: ["synchronous_standby_names="])
            try await pair.primary.command("INSERT INTO written VALUES ('old')")
            let former = pair.pool([pair.primary], .seconds(2))
            defer { former.shutDown() }
            #expect(await failure { _ = try await former.backend() }?.code == .staleServer)
            // libpq would take the first of the list.
            let fresh = pair.pool([pair.primary, pair.standby], choice: "target_session_attrs=read-write")
            defer { fresh.shutDown() }
            let seen = try await fresh.query(Statement("SELECT server FROM written"))
            #expect(try seen.rows.map { try $0.get(0, as: String.self) } == ["new"])
        }
    }

    @Test("A connection to a primary that was replaced meanwhile is given up before its next statement")
    func replacedUnderway() async throws {
        try await self.run { pair in
            let former = pair.pool([pair.primary, pair.standby])
            defer { former.shutDown() }
            try await former.query(Statement("CREATE TABLE written ()"))
            // As in a network that is cut in two: the primary is not stopped, and lives on.
            try await pair.primary.command("ALTER SYSTEM SET synchronous_standby_names = ''")
            try await pair.primary.command("SELECT pg_reload_conf()")
            try await pair.standby.promote()
            let later = pair.pool([pair.standby])
            defer { later.shutDown() }
            _ = try await later.backend()
            try await former.query(Statement("DROP TABLE written"))
            let left = try await pair.primary.command("SELECT count(*) FROM pg_class WHERE relname = 'written'")
            #expect(try left?.get(0, as: Int64.self) == 1)
        }
    }

    @Test(
        "hostile-input 31: a COMMIT whose wait for the standby was cancelled is no success, though the server says so")
    func cancelledWait() async throws {
        try await self.run { pair in
            let pool = pair.pool([pair.primary])
            defer { pool.shutDown() }
            try await pool.query(Statement("CREATE TABLE written ()"))
            await pair.standby.stopImmediately()
            async let outcome = failure { try await pool.query(Statement("INSERT INTO written DEFAULT VALUES")) }
            let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            while try await pair.primary.command("SELECT count(*) \(waiting)")?.get(0, as: Int64.self) == 0 {
                try await Task.sleep(for: .milliseconds(20))
            }
            try await pair.primary.command("SELECT pg_cancel_backend(pid) \(waiting)")
            #expect(await outcome?.code == .ambiguousCommit)
            // The next one is judged by itself, and needs no standby where it writes nothing.
            _ = try await pool.backend()
        }
    }
}
