import LabSupport
import MailModel
import PostgresDriver
import QueueStore

extension LabRelay {
    /// The attempts of which the trace says that the message may have been delivered although they count as failed. The
    /// reply to their final dot was lost, or their node was.
    public func uncertainAttempts() async throws -> [UncertainAttempt] {
        let result = try await self.store.pool.query(
            Statement(
                """
                SELECT DISTINCT message_id, domain, attempt FROM relay.trace
                WHERE kind IN ('DEFER', 'FAIL') AND reply LIKE '%the message may have been delivered%'
                """))
        return try result.rows.map { row in
            let id: PostgresUUID = try row.get(0)
            return UncertainAttempt(
                message: MessageID(high: id.high, low: id.low), domain: try row.get(1),
                attempt: Int(try row.get(2, as: Int32.self)))
        }
    }

    /// Waits until no mail is left in the queue, through times in which the database does not answer; `false` when time is up.
    public func becomesEmpty(within limit: Duration) async -> Bool {
        await eventually(within: limit, every: .milliseconds(100)) {
            (try? await self.store.storedTotal())?.entries == 0
        }
    }
}
