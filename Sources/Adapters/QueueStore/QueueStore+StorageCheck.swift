import PostgresDriver

extension QueueStore {
    /// Shows that mail fits, by a transaction that stores so many chunks of a body, removes them again, and is
    /// committed. What it wrote is left to autovacuum like any other row that is gone, and used again.
    ///
    /// It is tried once: the caller wants to know how it is.
    public func checkStorage(pieces: Int) async throws(QueueStoreError) {
        var generator = SystemRandomNumberGenerator()
        // An id of its own, so that no two checks, nor any message, ever meet.
        let id = PostgresUUID(high: generator.next(), low: generator.next())
        let statements = [
            Statement(
                """
                INSERT INTO relay.body_chunk (shard, message_id, ordinal, data)
                SELECT 0, $1, ordinal, $2 FROM generate_series(1, $3) AS s (ordinal)
                """, id, PostgresBytes([UInt8](repeating: 0, count: QueueLimits.inlineBody)), Int32(pieces)),
            Statement("DELETE FROM relay.body_chunk WHERE shard = 0 AND message_id = $1", id),
        ]
        do throws(PostgresError) {
            try await self.pool.pipeline(statements)
        } catch {
            throw QueueStoreError(error)
        }
    }
}
