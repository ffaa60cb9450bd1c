public import ClusterModel
public import MailModel
public import OperatingSystem
public import PostgresDriver

/// Stores accepted messages, many with one COMMIT.
///
/// Who commits, and with whom, is decided by `GroupCommit`; this type says what a commit is, and what follows when it fails.
public final class QueueWriter: Sendable {
    /// The limits of one writer.
    public struct Limits: Sendable {
        /// The most messages in one transaction.
        public var batchCount = 256
        /// The most bytes of content in one transaction (one larger message is a batch by itself).
        public var batchBytes = 8 * 1024 * 1024
        /// The most transactions under way at once, each on a connection of its own.
        public var commitsInFlight = 2
        /// The most messages that wait; the next one is refused as overloaded.
        public var waitingCount = 4096
        /// The most bytes of content that wait.
        public var waitingBytes = 128 * 1024 * 1024
        /// How often a batch whose outcome is uncertain is repeated with the same ids.
        public var repetitions = 5

        /// The defaults.
        public init() {}
    }

    private let pool: PostgresPool
    private let map: ShardMap
    private let commits: GroupCommit<AcceptedMessage, Result<Void, QueueStoreError>>

    /// A writer.
    ///
    /// - Parameters:
    ///   - pool: of the role `relay_queue`; see `QueueStore.poolSettings`.
    ///   - map: of the queue, from `QueueStore.shardMap`.
    ///   - node: this node's name, for the trace.
    ///   - time: by which waits are measured.
    ///   - waited: is told of each message how long it waited before its transaction began.
    ///   - committed: is told, after each COMMIT and outside any lock, what has become due. It must not block.
    public init(
        pool: PostgresPool, map: ShardMap, node: String, limits: Limits = Limits(), time: any NodeClock = .system,
        waited: @escaping @Sendable (Duration) -> Void = { _ in },
        committed: @escaping @Sendable ([DueEntry]) -> Void = { _ in }
    ) {
        self.pool = pool
        self.map = map
        let transaction = EnqueueTransaction(
            pool: pool, map: map, node: node, repetitions: limits.repetitions, committed: committed)
        self.commits = GroupCommit(limits: limits.group, cost: { $0.inlineSize }, time: time, waited: waited) {
            await transaction.commit($0)
        }
    }

    /// Stores a message with all its entries. Returns after the COMMIT, and only then is it accepted.
    ///
    /// Repeating a message with the same id stores nothing twice. Cancelling the task has no effect on it.
    public func enqueue(_ message: AcceptedMessage) async throws(QueueStoreError) {
        precondition(!message.entries.isEmpty, "a message goes to somebody")
        if case .inline(let bytes) = message.body {
            precondition(bytes.count <= QueueLimits.inlineBody, "larger bodies are staged")
        }
        guard let result = await self.commits.submit(message) else {
            throw QueueStoreError(.overloaded, "too many messages wait to be stored")
        }
        try result.get()
    }

    /// A writer for a large body, whose chunks go to the shards that the message will go to.
    public func bodyWriter(for message: AcceptedMessage) -> BodyWriter {
        BodyWriter(pool: self.pool, message: message.id, shards: message.shards(in: self.map))
    }

    /// Whether so much waits that the next messages are about to be refused.
    public var isCongested: Bool { self.commits.isCongested }

    /// How many messages wait, for metrics.
    public var waitingCount: Int { self.commits.waitingCount }
}

extension QueueWriter.Limits {
    fileprivate var group: GroupCommit<AcceptedMessage, Result<Void, QueueStoreError>>.Limits {
        .init(
            batchCount: self.batchCount, batchCost: self.batchBytes, inFlight: self.commitsInFlight,
            waitingCount: self.waitingCount, waitingCost: self.waitingBytes)
    }
}

extension AcceptedMessage {
    /// The bytes of content in memory.
    fileprivate var inlineSize: Int {
        if case .inline(let bytes) = self.body { bytes.count } else { 0 }
    }
}

/// How one batch of messages is stored.
private struct EnqueueTransaction: Sendable {
    let pool: PostgresPool
    let map: ShardMap
    let node: String
    let repetitions: Int
    let committed: @Sendable ([DueEntry]) -> Void

    /// The most messages in a part, when one of many is refused: it is then found by few transactions.
    private static let part = 16

    /// Commits all in one transaction. If the database refuses that, it commits parts, and then each by itself, so that
    /// one bad message does not take others with it.
    func commit(
        _ messages: [AcceptedMessage], wasAmbiguous: Bool = false
    ) async -> [Result<Void, QueueStoreError>] {
        let whole = await self.transact(messages, wasAmbiguous: wasAmbiguous)
        guard case .failure(let error) = whole, messages.count > 1, error.mayBeOneMessagesFault else {
            return messages.map { _ in whole }
        }
        var results: [Result<Void, QueueStoreError>] = []
        // What of the whole may be stored already is found out by each part, too.
        for part in messages.parts(of: messages.count > Self.part ? Self.part : 1) {
            results += await self.commit(part, wasAmbiguous: error.code == .ambiguous)
        }
        return results
    }

    /// Makes a COMMIT wait until all before it is on disk and with the standby, even if the transaction changes
    /// nothing. It puts a few bytes into the write-ahead log. (`pg_current_xact_id` alone does not: such a commit waits
    /// for nobody.)
    private static let barrier = Statement("SELECT pg_logical_emit_message(true, 'relay', '')")

    /// One transaction, repeated as long as its outcome is uncertain: the same ids are stored once only.
    ///
    /// A repetition that finds the messages stored proves nothing yet. The first COMMIT may have been cut off while it
    /// waited for the standby, and another server may not have it. So repetitions wait for all that went before.
    private func transact(
        _ messages: [AcceptedMessage], wasAmbiguous: Bool
    ) async -> Result<Void, QueueStoreError> {
        let batch = EnqueueBatch(messages, map: self.map, node: self.node)
        let statement = batch.statement
        var wasAmbiguous = wasAmbiguous
        for repetition in 0...self.repetitions {
            do throws(PostgresError) {
                try await self.pool.pipeline(wasAmbiguous ? [statement, Self.barrier] : [statement])
                self.committed(batch.due)
                return .success(())
            } catch {
                wasAmbiguous = wasAmbiguous || error.code == .ambiguousCommit
                guard repetition < self.repetitions, error.mayBeRepeatedIdempotently else {
                    // Once uncertain, later failures do not make it certain that nothing is stored.
                    return .failure(
                        wasAmbiguous
                            ? QueueStoreError(.ambiguous, error.message, cause: error) : QueueStoreError(error))
                }
            }
        }
        return .failure(QueueStoreError(.ambiguous, "repeated too often"))
    }
}

extension QueueStoreError {
    /// The database understood the transaction and refused it: data that it does not take, or a body not staged.
    fileprivate var mayBeOneMessagesFault: Bool {
        switch self.cause?.code {
        case .server, .constraintViolation, .uniqueViolation: true
        default: false
        }
    }
}
