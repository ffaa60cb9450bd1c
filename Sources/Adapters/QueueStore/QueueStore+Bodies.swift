import ClusterModel
import MailModel
import PostgresDriver

/// Reads the body of a stored message piece by piece.
public struct BodyReader: Sendable {
    private let pool: PostgresPool
    private let shard: Shard
    private let message: MessageID
    private var ordinal: Int32 = 0
    /// `nil` before the first read.
    private var chunks: Int32?

    init(pool: PostgresPool, shard: Shard, message: MessageID) {
        self.pool = pool
        self.shard = shard
        self.message = message
    }

    /// The next piece, of at most `QueueLimits.inlineBody` bytes; `nil` at the end. Throws `entryChanged` when the message
    /// has been finished meanwhile.
    public mutating func next() async throws(QueueStoreError) -> [UInt8]? {
        if let chunks = self.chunks { return self.ordinal < chunks ? try await self.chunk() : nil }
        let results = try await self.pool.idempotently([
            Statement(
                "SELECT body, chunks FROM relay.message WHERE shard = $1 AND message_id = $2 AND finished_at IS NULL",
                self.shard.rawValue, self.message.uuid)
        ])
        guard let row = results[0].rows.first else {
            throw QueueStoreError(.entryChanged, "the message is finished")
        }
        let chunks: Int32 = try row.value(1)
        self.chunks = chunks
        if chunks > 0 { return try await self.chunk() }
        return try row.value(0, as: PostgresBytes?.self)?.bytes ?? []
    }

    private mutating func chunk() async throws(QueueStoreError) -> [UInt8] {
        let results = try await self.pool.idempotently([
            Statement(
                "SELECT data FROM relay.body_chunk WHERE shard = $1 AND message_id = $2 AND ordinal = $3",
                self.shard.rawValue, self.message.uuid, self.ordinal)
        ])
        guard let row = results[0].rows.first else {
            throw QueueStoreError(.entryChanged, "a piece of the body is gone")
        }
        self.ordinal += 1
        return try row.value(0, as: PostgresBytes.self).bytes
    }
}

extension QueueStore {
    /// A reader of an entry's body. It holds no connection between two reads.
    public func reader(of key: EntryKey) -> BodyReader {
        BodyReader(pool: self.pool, shard: key.shard, message: key.message)
    }
}
