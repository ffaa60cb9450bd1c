public import MailModel
import PostgresDriver

extension QueueStore {
    /// The bytes of the whole database on its server's disk.
    public func databaseSize() async throws(QueueStoreError) -> Int {
        let results = try await self.pool.idempotently([Statement("SELECT pg_database_size(current_database())")])
        return Int(try Self.only(results[0]).value(0, as: Int64.self))
    }

    /// The life of a message, the earliest event first; bounded.
    public func trace(of message: MessageID, limit: Int = 1000) async throws(QueueStoreError) -> [TraceEvent] {
        try await TraceRows.trace(of: message, limit: limit, in: self.pool)
    }
}
