import MailModel
import PostgresDriver
import QueueStore
import Testing

/// What the server rolls back for reasons that pass is tried again.
@Suite("Transactions that the server gives up", .timeLimit(.minutes(3)))
struct RepetitionTests {
    /// From now on the first transactions, so many, that write into a table fail with this SQLSTATE.
    private func fail(_ queue: QueueFixture, _ event: String, _ table: String, _ state: String, times: Int) async throws
    {
        // A sequence counts on although the transaction is rolled back.
        try await queue.admin.script(
            """
            CREATE SEQUENCE public.failures;
            GRANT USAGE ON SEQUENCE public.failures TO relay_queue;
            CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                IF nextval('public.failures') <= \(times) THEN RAISE 'not now' USING ERRCODE = '\(state)'; END IF;
                RETURN NULL;
            END $f$;
            CREATE TRIGGER fail AFTER \(event) ON relay.\(table) EXECUTE FUNCTION public.fail();
            """)
    }

    @Test(
        "hostile-input 35: a message whose INSERT meets 40001 or 40P01 twice is stored", arguments: ["40001", "40P01"])
    func enqueue(_ state: String) async throws {
        try await QueueFixture.run { queue in
            try await self.fail(queue, "INSERT", "message", state, times: 2)
            try await queue.writer.enqueue(queue.message())
            #expect(try await queue.count("ready") == 1)
            #expect(queue.pool.statistics.errors[.serializationFailure] == 2)
        }
    }

    @Test("hostile-input 35: an outcome that meets 40001 or 40P01 twice is recorded", arguments: ["40001", "40P01"])
    func record(_ state: String) async throws {
        try await QueueFixture.run { queue in
            try await queue.writer.enqueue(queue.message())
            let entry = try await queue.claimOne()
            // Triggers of a statement belong to the table that it names, not to its partitions.
            try await self.fail(queue, "DELETE", "ready", state, times: 2)
            try await queue.store.recordOutcomes([try queue.delivered(entry)]).forEach { try $0.get() }
            #expect(try await queue.count("ready") == 0)
            #expect(queue.pool.statistics.errors[.serializationFailure] == 2)
        }
    }

    @Test("hostile-input 33: a disk that is full is called so, and nothing is tried again at once")
    func diskFull() async throws {
        try await QueueFixture.run { queue in
            try await self.fail(queue, "INSERT", "message", "53100", times: 1)
            do {
                try await queue.writer.enqueue(queue.message())
                Issue.record("stored on a full disk")
            } catch let error as QueueStoreError {
                #expect(error.code == .database)
                #expect(error.cause?.code == .diskFull)
            }
            try await queue.writer.enqueue(queue.message())
            #expect(try await queue.count("message") == 1)
        }
    }
}
