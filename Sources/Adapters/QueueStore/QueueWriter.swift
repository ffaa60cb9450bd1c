public import DeliveryQueue
import MailModel
public import PostgresDriver
import Synchronization

/// Stores accepted messages, many with one COMMIT.
///
/// A commit begins when none is in flight, without a timer: what arrives meanwhile becomes the next batch. The caller who
/// finds a free place commits for itself; when it is done, it hands the place to one of those who wait, who commits for
/// all of them. So there is no task of the writer's own, and nothing is left behind when callers end.
public final class QueueWriter: Sendable {
    /// The limits of one writer.
    public struct Limits: Sendable {
        /// The most messages in one transaction.
        public var batchCount = 256
        /// The most bytes of content in one transaction (one larger message is a batch by itself).
        public var batchBytes = 8 * 1024 * 1024
        /// The most transactions in flight at once, each on a connection of its own.
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
    private let node: String
    private let limits: Limits
    private let committed: @Sendable ([DueEntry]) -> Void
    private let state: Mutex<WriterState>

    /// A writer.
    ///
    /// - Parameters:
    ///   - pool: of the role `relay_queue`; see `QueueStore.poolSettings`.
    ///   - map: of the queue, from `QueueStore.shardMap`.
    ///   - node: this node's name, for the trace.
    ///   - committed: is told, after each COMMIT and outside any lock, what has become due. It must not block.
    public init(
        pool: PostgresPool, map: ShardMap, node: String, limits: Limits = Limits(),
        committed: @escaping @Sendable ([DueEntry]) -> Void = { _ in }
    ) {
        self.pool = pool
        self.map = map
        self.node = node
        self.limits = limits
        self.committed = committed
        self.state = Mutex(WriterState(limits: limits))
    }

    /// Stores a message with all its entries. Returns after the COMMIT, and only then is it accepted.
    ///
    /// Repeating a message with the same id stores nothing twice. Cancelling the task has no effect on it.
    public func enqueue(_ message: AcceptedMessage) async throws(QueueStoreError) {
        precondition(!message.entries.isEmpty, "a message goes to somebody")
        if case .inline(let bytes) = message.body {
            precondition(bytes.count <= QueueLimits.inlineBody, "larger bodies are staged")
        }
        switch await self.join(message) {
        case .done(let result): try result.get()
        case .lead(let batch, own: let own):
            let results = await self.commit(batch.map(\.message))
            for (waiter, result) in zip(batch, results) { waiter.continuation?.resume(returning: .done(result)) }
            self.passOn()
            try results[own].get()
        }
    }

    /// A writer for a large body, whose chunks go to the shards that the message will go to.
    public func bodyWriter(for message: AcceptedMessage) -> BodyWriter {
        BodyWriter(pool: self.pool, message: message.id, shards: message.shards(in: self.map))
    }

    /// What waits and what is in flight, for metrics.
    public var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    private func join(_ message: AcceptedMessage) async -> WriterState.Turn {
        await withCheckedContinuation { continuation in
            let turn = self.state.withLock { $0.join(.init(message: message, continuation: continuation)) }
            if let turn { continuation.resume(returning: turn) }
        }
    }

    /// Gives this caller's place to the first of those who wait.
    private func passOn() {
        guard let (leader, batch) = self.state.withLock({ $0.passOn() }) else { return }
        leader.resume(returning: .lead(batch, own: 0))
    }

    /// Commits all in one transaction; if the database refuses that, each by itself, so that one bad message does not
    /// take others with it.
    private func commit(_ messages: [AcceptedMessage]) async -> [Result<Void, QueueStoreError>] {
        let whole = await self.transact(messages)
        guard case .failure(let error) = whole, messages.count > 1, error.mayBeOneMessagesFault else {
            return messages.map { _ in whole }
        }
        var results: [Result<Void, QueueStoreError>] = []
        for message in messages { results.append(await self.transact([message])) }
        return results
    }

    /// One transaction, repeated as long as its outcome is uncertain: the same ids are stored once only.
    private func transact(_ messages: [AcceptedMessage]) async -> Result<Void, QueueStoreError> {
        let batch = EnqueueBatch(messages, map: self.map, node: self.node)
        let statement = batch.statement
        var wasAmbiguous = false
        for repetition in 0...self.limits.repetitions {
            do throws(PostgresError) {
                try await self.pool.pipeline([statement])
                self.committed(batch.due)
                return .success(())
            } catch {
                wasAmbiguous = wasAmbiguous || error.code == .ambiguousCommit
                guard repetition < self.limits.repetitions, error.mayBeRepeatedIdempotently else {
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
