import ClusterModel
import MailModel
import PostgresDriver
import TestLiterals
import Testing

@testable import QueueStore

/// Each statement of an operation by itself, as the schema's owner runs it.
@Suite("The statements of operations", .timeLimit(.minutes(3)))
struct OperationStatementTests {
    /// `relay.entry_attempts[]` of all entries in a table.
    private static func keys(_ table: String) -> String {
        "(SELECT array_agg(ROW(shard, message_id, domain, attempts)::relay.entry_attempts) FROM relay.\(table))"
    }

    private func number(_ queue: QueueFixture, _ sql: String) async throws -> Int64 {
        try await queue.admin.query(Statement("SELECT (\(sql))::int8")).single().get(0)
    }

    @Test("No role may execute one of them; the operator's has administer, and no other has")
    func rights() async throws {
        try await QueueFixture.run { queue in
            for role in ["relay_admin", "relay_queue", "relay_viewer", "public"] {
                for statement in OperationStatement.all {
                    let may = try await queue.admin.query(
                        Statement(
                            """
                            SELECT has_function_privilege($1, p.oid, 'EXECUTE') FROM pg_proc p
                            WHERE p.pronamespace = 'relay'::regnamespace AND p.proname = $2
                            """, role, String(statement.signature.prefix { $0 != "(" }))
                    ).single().get(0, as: Bool.self)
                    #expect(!may, "\(role) may call \(statement.signature)")
                }
                let administers = try await queue.admin.query(
                    Statement("SELECT has_function_privilege($1, 'relay.administer'::regproc, 'EXECUTE')", role)
                ).single().get(0, as: Bool.self)
                #expect(administers == (role == "relay_admin"), "\(role)")
            }
        }
    }

    @Test("Locking takes what is there, and leaves out what somebody else has locked", arguments: ["ready", "held"])
    func lock(_ place: String) async throws {
        try await QueueFixture.run { queue in
            for _ in 0..<3 { try await queue.writer.enqueue(queue.message()) }
            if place == "held" {
                try await queue.admin.script(
                    """
                    SELECT relay.put_in_held(relay.take_from_ready(\(Self.keys("ready"))))
                    """)
            }
            let locking = "SELECT cardinality(relay.lock_\(place)(\(Self.keys(place))))"
            #expect(try await self.number(queue, locking) == 3)
            let left = try await queue.whileOpen("SELECT FROM relay.\(place) LIMIT 1 FOR UPDATE") { _ in
                try await self.number(queue, locking)
            }
            #expect(left == 2)
        }
    }

    @Test("An entry with an attempt of its owner on record is in delivery; one of a former owner is not")
    func withoutAttempts() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            let free = "SELECT coalesce(cardinality(relay.without_attempts(\(Self.keys("ready")))), 0)"
            #expect(try await self.number(queue, free) == 1)
            _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
            #expect(try await self.number(queue, free) == 0)
            #expect(try await self.number(queue, "SELECT relay.count_ready(\(Self.keys("ready")))") == 1)
            try await queue.takeOver(entry.key.shard)
            #expect(try await self.number(queue, free) == 1)
        }
    }

    @Test("The destinations of the entries are tried again, and no others")
    func endBackoffs() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            try await queue.leaveAlone(bravo)
            try await queue.leaveAlone("charlie.test")
            try await queue.admin.script("SELECT relay.end_backoffs_of_ready(\(Self.keys("ready")))")
            let blocked = try await queue.admin.query(
                Statement("SELECT destination::text FROM relay.destination WHERE blocked_until > now()")
            ).single().get(0, as: String.self)
            #expect(blocked == "charlie.test")
        }
    }

    @Test("A retry makes due what waits, but not what the same operation has made due")
    func retry() async throws {
        try await QueueFixture.run { queue in
            try await queue.enqueueFailed(wait: .seconds(600))
            try await queue.writer.enqueue(queue.message())
            let retry = { (since: String) in
                "SELECT coalesce(cardinality(relay.retry_ready(\(Self.keys("ready")), \(since))), 0)"
            }
            #expect(try await self.number(queue, retry("now() - interval '1 hour'")) == 1)
            #expect(
                try await self.number(queue, "SELECT count(*) FROM relay.ready WHERE next_attempt_at <= now()") == 2)
            #expect(try await self.number(queue, retry("now() - interval '1 hour'")) == 0)
            #expect(try await self.number(queue, retry("now()")) == 2)
        }
    }

    @Test("What is given up is given up once, with the first reason")
    func fail() async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let fail = { (because: String) in
                "SELECT coalesce(cardinality(relay.fail_ready(\(Self.keys("ready")), '\(because)')), 0)"
            }
            #expect(try await self.number(queue, fail("first")) == 1)
            #expect(try await self.number(queue, fail("second")) == 0)
            #expect(try await queue.claimOne().verdict == "first")
        }
    }

    @Test("What is taken from one place and put into another is the same entry")
    func move() async throws {
        try await QueueFixture.run { queue in
            let entry = try await queue.enqueueFailed(wait: .seconds(7200))
            try await queue.admin.script(
                "SELECT relay.put_in_held(relay.take_from_deferred(\(Self.keys("deferred"))))")
            #expect(try await queue.count("held") == 1)
            try await queue.admin.script(
                "SELECT relay.put_in_ready(relay.take_from_held(\(Self.keys("held"))), 'enough')")
            let moved = try await queue.claimOne()
            #expect(moved.key == entry.key)
            #expect(moved.arrival == entry.arrival)
            #expect(moved.recipients == entry.recipients)
            #expect(moved.attempts == 1)
            #expect(moved.lastReason == "tlsa-invalid")
            #expect(moved.verdict == "enough")
        }
    }

    @Test("The last entry of a message takes its body with it, and an open attempt goes with its entry")
    func finish() async throws {
        try await QueueFixture.run { queue in
            let message = queue.message()
            try await queue.writer.enqueue(message)
            let entry = try await queue.claimOne()
            _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
            try await queue.admin.script("SELECT relay.finish_messages(relay.take_from_ready(\(Self.keys("ready"))))")
            #expect(try await queue.count("open_attempt") == 0)
            let finished = "SELECT count(*) FROM relay.message WHERE body IS NULL AND finished_at IS NOT NULL"
            #expect(try await self.number(queue, finished) == 1)
        }
    }

    @Test("Sums follow what went from one place to another, or out of the queue")
    func sums() async throws {
        try await QueueFixture.run { queue in
            for _ in 0..<3 { try await queue.writer.enqueue(queue.message()) }
            try await queue.admin.script(
                """
                WITH taken AS MATERIALIZED (SELECT relay.take_from_ready(\(Self.keys("ready"))) AS entries)
                SELECT relay.put_in_held(entries), relay.count_moved(entries, 'ready', 'held') FROM taken
                """)
            try await queue.expectSums(held: 3)
            try await queue.admin.script(
                """
                WITH taken AS MATERIALIZED (SELECT relay.take_from_held(\(Self.keys("held"))) AS entries)
                SELECT relay.finish_messages(entries), relay.count_moved(entries, 'held', NULL) FROM taken
                """)
            try await queue.expectSums()
        }
    }

    @Test("What waited and was changed waits no more; what was left as it is waits on")
    func stopWaiting() async throws {
        try await QueueFixture.run { queue in
            try await queue.enqueueFailed(wait: .seconds(600))
            let waiting = "SELECT coalesce(sum(messages), 0) FROM relay.queue_waiting"
            #expect(try await self.number(queue, waiting) == 1)
            let waited = "relay.waiting_entries(\(Self.keys("ready")))"
            try await queue.admin.script("SELECT relay.stop_waiting(\(waited))")
            #expect(try await self.number(queue, waiting) == 1)
            try await queue.admin.script(
                """
                DO $d$ DECLARE waited relay.waiting_entry[]; BEGIN
                    waited := \(waited);
                    DELETE FROM relay.ready;
                    PERFORM relay.stop_waiting(waited);
                END $d$
                """)
            #expect(try await self.number(queue, waiting) == 0)
        }
    }
}
