import ClusterModel
public import MailModel
import PostgresDriver

/// A large body whose chunks are all stored, and that waits to be published with its message.
public struct StagedBody: Hashable, Sendable {
    /// The message.
    public let message: MessageID
    /// The number of chunks.
    public let chunks: Int32
    /// The size in bytes.
    public let size: Int
}

/// Stores a large body piece by piece as it arrives, so that no more than a chunk of it is ever in memory.
///
/// Each chunk is committed by itself, in every shard that the message goes to. Nobody sees the chunks until the message
/// is stored; if it never is, `discard` removes them at once, and `QueueStore.sweepOrphans` after an hour.
public struct BodyWriter: Sendable {
    private let pool: PostgresPool
    private let message: MessageID
    private let shards: [Int16]
    private var buffer: [UInt8] = []
    private var ordinal: Int32 = 0
    private var size = 0

    init(pool: PostgresPool, message: MessageID, shards: [Shard]) {
        self.pool = pool
        self.message = message
        self.shards = shards.map(\.rawValue)
    }

    /// Takes the next bytes, and stores what fills a chunk. Returns when that is committed: do not read on before.
    public mutating func write(_ bytes: [UInt8]) async throws(QueueStoreError) {
        // A whole chunk is not copied.
        if self.buffer.isEmpty, bytes.count == QueueLimits.inlineBody { return try await self.store(bytes) }
        self.buffer.append(contentsOf: bytes)
        while self.buffer.count >= QueueLimits.inlineBody {
            let chunk = Array(self.buffer.prefix(QueueLimits.inlineBody))
            self.buffer.removeFirst(chunk.count)
            try await self.store(chunk)
        }
    }

    /// Stores the rest and gives what `AcceptedMessage.Body.staged` takes.
    public mutating func finish() async throws(QueueStoreError) -> StagedBody {
        if !self.buffer.isEmpty || self.ordinal == 0 {
            try await self.store(self.buffer)
            self.buffer = []
        }
        return StagedBody(message: self.message, chunks: self.ordinal, size: self.size)
    }

    /// Removes what is stored of a body that nobody will publish; one that is published is left as it is. No later chunk is taken
    /// any more.
    public func discard() async throws(QueueStoreError) {
        // Publishing deletes the staging row too: of the two, one finds it. It is locked first, so that the chunks are looked for
        // when none can come any more, not even one whose COMMIT took long.
        try await self.pool.idempotently([
            Statement(
                "SELECT FROM relay.staged_body WHERE shard = ANY ($1) AND message_id = $2 ORDER BY shard FOR UPDATE",
                self.shards, self.message.uuid),
            Statement(
                """
                WITH gone AS (
                    DELETE FROM relay.staged_body WHERE shard = ANY ($1) AND message_id = $2 RETURNING shard, message_id)
                DELETE FROM relay.body_chunk c USING gone WHERE \(Lookup.sql("c", "gone", "shard", "message_id"))
                """, self.shards, self.message.uuid),
        ])
    }

    /// The staging row is renewed with each chunk; once it is gone, no chunk is taken any more.
    private mutating func store(_ chunk: [UInt8]) async throws(QueueStoreError) {
        let marker = Statement(
            """
            WITH touched AS (
                INSERT INTO relay.staged_body (shard, message_id) SELECT shard, $2 FROM unnest($1) AS s (shard)
                WHERE $3 = 0 OR EXISTS (
                    SELECT FROM relay.staged_body b WHERE b.shard = s.shard AND b.message_id = $2)
                ON CONFLICT (shard, message_id) DO UPDATE SET touched_at = clock_timestamp() RETURNING 1)
            SELECT relay.expect_rows((SELECT count(*) FROM touched), cardinality($1)::int8, 'RL002')
            """, self.shards, self.message.uuid, self.ordinal)
        let insert = Statement(
            """
            INSERT INTO relay.body_chunk (shard, message_id, ordinal, data) SELECT shard, $2, $3, $4
            FROM unnest($1) AS s (shard) ON CONFLICT DO NOTHING
            """, self.shards, self.message.uuid, self.ordinal, PostgresBytes(chunk))
        // Both may be repeated without harm.
        try await self.pool.idempotently([marker, insert])
        self.ordinal += 1
        self.size += chunk.count
    }
}
