/// Who waits for the next commit, and how many are in flight. Decided under the writer's lock.
struct WriterState {
    /// What a caller is told.
    enum Turn: Sendable {
        /// Somebody committed for it.
        case done(Result<Void, QueueStoreError>)
        /// It commits this batch, in which its own message has this position.
        case lead([Waiter], own: Int)
    }

    struct Waiter: Sendable {
        let message: AcceptedMessage
        /// `nil` for the leader itself, who needs no call.
        var continuation: CheckedContinuation<Turn, Never>?
    }

    private let limits: QueueWriter.Limits
    private(set) var waiting: [Waiter] = []
    private var waitingBytes = 0
    private var inFlight = 0

    init(limits: QueueWriter.Limits) { self.limits = limits }

    /// The turn of a caller that need not wait; `nil` for one that waits.
    mutating func join(_ waiter: Waiter) -> Turn? {
        if self.inFlight < self.limits.commitsInFlight {
            self.inFlight += 1
            return .lead([Waiter(message: waiter.message, continuation: nil)], own: 0)
        }
        guard self.waiting.count < self.limits.waitingCount,
            self.waitingBytes + waiter.message.inlineSize <= self.limits.waitingBytes
        else { return .done(.failure(QueueStoreError(.overloaded, "too many messages wait to be stored"))) }
        self.waiting.append(waiter)
        self.waitingBytes += waiter.message.inlineSize
        return nil
    }

    /// A commit ended: the next batch and the one who leads it, or nobody and a place is free.
    mutating func passOn() -> (leader: CheckedContinuation<Turn, Never>, batch: [Waiter])? {
        var batch = self.nextBatch()
        guard let leader = batch.first?.continuation else {
            self.inFlight -= 1
            return nil
        }
        batch[0].continuation = nil
        return (leader, batch)
    }

    private mutating func nextBatch() -> [Waiter] {
        var bytes = 0
        let batch = self.waiting.prefix(self.limits.batchCount).prefix { waiter in
            bytes += waiter.message.inlineSize
            return bytes <= self.limits.batchBytes || bytes == waiter.message.inlineSize
        }
        self.waiting.removeFirst(batch.count)
        self.waitingBytes -= batch.reduce(0) { $0 + $1.message.inlineSize }
        return Array(batch)
    }
}

extension AcceptedMessage {
    /// The bytes of content in memory.
    fileprivate var inlineSize: Int {
        if case .inline(let bytes) = self.body { bytes.count } else { 0 }
    }
}
