import LabDatabase
import LabSupport
import PostgresDriver
import Testing

/// Somebody else's transaction, which a test keeps open until it has seen what it wanted to see.
struct OpenTransaction {
    /// The queue's sessions that wait for it.
    static let heldUp = """
        FROM pg_stat_activity WHERE usename = '\(QueueLogin.node)' AND datname = current_database()
        AND wait_event_type = 'Lock'
        """

    let queue: QueueFixture

    /// Waits until a session of the queue waits for it.
    func waitUntilItHoldsUp() async throws { try await self.queue.waitUntil("SELECT count(*) \(Self.heldUp)") }

    /// Lets it end with COMMIT.
    func commit() async throws { try await self.queue.admin.script("DELETE FROM stays_open") }
}

extension QueueFixture {
    /// Runs `body` while a transaction is open that has done `sql`. It is committed at the end of `body`, unless `body` has done
    /// so itself; after a minute in any case.
    func whileOpen<Value: Sendable>(
        _ sql: String, _ body: (OpenTransaction) async throws -> Value
    ) async throws -> Value {
        try await self.admin.script("CREATE TABLE stays_open AS SELECT true")
        let result = try await withThrowingTaskGroup { group in
            group.addTask { try await self.stayOpen(sql) }
            group.addTask {
                try await self.waitUntil(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
                )
            }
            // What fails is not waited for.
            try await group.next()
            let transaction = OpenTransaction(queue: self)
            let result: Result<Value, any Error>
            do { result = .success(try await body(transaction)) } catch { result = .failure(error) }
            try await transaction.commit()
            try await group.waitForAll()
            return result
        }
        try await self.admin.script("DROP TABLE stays_open")
        return try result.get()
    }

    private func stayOpen(_ sql: String) async throws {
        try await self.admin.script(
            """
            BEGIN;
            \(sql);
            DO $$ BEGIN
                FOR look IN 1..6000 LOOP
                    EXIT WHEN NOT EXISTS (SELECT FROM stays_open);
                    PERFORM pg_sleep(0.01);
                END LOOP;
            END $$;
            COMMIT
            """, timeout: .seconds(90))
    }

    /// Waits, at most a minute, until a count is positive.
    func waitUntil(_ sql: String) async throws {
        let isPositive = try await eventually(within: .seconds(60), every: .milliseconds(5)) {
            try await self.admin.query(Statement(sql)).single().get(0, as: Int64.self) > 0
        }
        try #require(isPositive, "\(sql)")
    }
}
