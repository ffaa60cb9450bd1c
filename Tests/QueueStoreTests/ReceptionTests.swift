import ClusterModel
import MailModel
import PostgresDriver
import Testing

@testable import QueueStore

/// Who brought a message, in the trace.
@Suite("Receptions in the trace", .timeLimit(.minutes(2)))
struct ReceptionTests {
    private static func reception() -> Reception {
        var reception = Reception()
        reception.client = "192.0.2.1"
        reception.hello = "client.test"
        reception.user = "alice"
        reception.admittedBy = "user"
        reception.messageIDField = "<1@alpha.test>"
        return reception
    }

    @Test("The row of a reception says who sent the message, by which rule, and how large it is")
    func kept() async throws {
        try await QueueFixture.run { queue in
            var message = queue.message()
            message.reception = Self.reception()
            try await queue.writer.enqueue(message)
            let own = queue.message()
            try await queue.writer.enqueue(own)
            for entry in try await queue.claim().entries {
                _ = try await queue.store.openAttempts([(entry, try queue.term().epoch)])
                try await queue.store.recordOutcomes([try queue.delivered(entry)]).forEach { try $0.get() }
            }
            let events = try await queue.store.trace(of: message.id, limit: 10)
            let received = try #require(events.first)
            #expect(received.kind == .receive && received.reception == Self.reception())
            #expect(received.sender == "alice@alpha.test" && received.size == message.size)
            #expect(events.dropFirst().allSatisfy { $0.reception == nil && $0.sender == nil && $0.size == nil })
            // Of a message of our own nobody is known.
            #expect(try await queue.store.trace(of: own.id, limit: 10).first?.reception == Reception())
        }
    }

    @Test(
        "A reception is found by an index: by sender, recipient, domain, client, Message-ID field and time",
        arguments: [
            ("lower(sender) = 'alice@alpha.test'", "by_sender"),
            ("string_to_array(lower(recipients), ' ') @> ARRAY['bob@bravo.test']", "by_recipient"),
            ("domain = 'bravo.test'", "by_domain"), ("client = '192.0.2.1'", "by_client"),
            ("message_id_field = '<1@alpha.test>'", "by_message_id_field"),
            ("at < now() - interval '1 minute'", "by_at"),
        ])
    func found(_ condition: String, _ index: String) async throws {
        try await QueueFixture.run { queue in
            var message = queue.message()
            message.reception = Self.reception()
            try await queue.writer.enqueue(message)
            _ = try await queue.admin.script(
                """
                INSERT INTO relay.trace (shard, message_id, kind, node, domain, recipients, attempt, sender, client,
                    message_id_field)
                SELECT 0, gen_random_uuid(), 'RECEIVE', 'node-a', n || '.test', 'bob@' || n || '.test', 0,
                    'alice@' || n || '.test', '192.0.2.' || n, '<' || n || '>' FROM generate_series(10, 5000) AS n;
                ANALYZE relay.trace
                """)
            let rows = try await queue.admin.script(
                """
                SET LOCAL enable_seqscan = off;
                EXPLAIN SELECT message_id FROM relay.trace WHERE kind = 'RECEIVE' AND \(condition)
                """)
            let plan = try rows.flatMap(\.rows).map { try $0.get(0, as: String.self) }
            #expect(plan.contains { $0.contains(/trace_[0-9]{8}_/) && $0.contains(index) }, "\(plan)")
            let found = try await queue.admin.query(
                Statement("SELECT count(*) FROM relay.trace WHERE kind = 'RECEIVE' AND \(condition)"))
            #expect(try found.single().get(0, as: Int64.self) == (index == "by_at" ? 0 : 1))
        }
    }
}
