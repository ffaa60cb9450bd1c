import MailModel
import PostgresDriver
import Testing

@testable import QueueStore

@Suite("Ids of messages in SQL", .timeLimit(.minutes(1)))
struct MessageNameTests {
    @Test("relay.message_name and relay.message_id convert as relayctl does, and back")
    func conversion() async throws {
        try await QueueFixture.run { queue in
            let ids =
                [MessageID(high: 0, low: 0), MessageID(high: .max, low: .max), MessageID(high: 1 << 63, low: 1)]
                + (0..<20).map { _ in newID() }
            for id in ids {
                let row = try await queue.pool.query(
                    Statement(
                        "SELECT relay.message_name($1), relay.message_id($2), relay.message_id(lower($2))", id.uuid,
                        "\(id)")
                ).single()
                #expect(try row.get(0, as: String.self) == "\(id)")
                #expect(try row.get(1, as: PostgresUUID.self) == id.uuid)
                #expect(try row.get(2, as: PostgresUUID.self) == id.uuid)
            }
        }
    }

    @Test("What is no name is NULL", arguments: ["", "x", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU"])
    func noName(_ text: String) async throws {
        try await QueueFixture.run { queue in
            let row = try await queue.pool.query(Statement("SELECT relay.message_id($1)", text)).single()
            #expect(try row.get(0, as: PostgresUUID?.self) == nil)
        }
    }
}
