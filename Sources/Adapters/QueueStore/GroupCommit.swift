import DequeModule
public import MailModel
import Synchronization

/// Does the work of many callers in few batches, without a timer: what comes while batches are under way becomes the next.
///
/// The caller who finds a free slot performs for itself. When it is done, it hands the slot to one of those who wait,
/// who performs for all of them. So there is no task of its own, and nothing is left behind when callers end.
public final class GroupCommit<Item: Sendable, Output: Sendable>: Sendable {
    /// The limits of one group.
    public struct Limits: Sendable {
        /// The most items in one batch.
        public var batchCount: Int
        /// The most cost, such as bytes, in one batch; a dearer item is a batch by itself.
        public var batchCost: Int
        /// The most batches under way at once.
        public var inFlight: Int
        /// The most items that wait; the next is refused.
        public var waitingCount: Int
        /// The most cost that waits.
        public var waitingCost: Int

        /// Limits; cost is unlimited unless given.
        public init(
            batchCount: Int, batchCost: Int = .max, inFlight: Int, waitingCount: Int, waitingCost: Int = .max
        ) {
            self.batchCount = batchCount
            self.batchCost = batchCost
            self.inFlight = inFlight
            self.waitingCount = waitingCount
            self.waitingCost = waitingCost
        }
    }

    private enum Turn: Sendable {
        /// Somebody performed for this caller.
        case done(Output)
        /// It performs this batch; its own item is the first.
        case lead([Waiter])
        /// Too much waits already.
        case refused
    }

    private struct Waiter: Sendable {
        let item: Item
        let cost: Int
        let since: MonotonicInstant
        /// `nil` for the leader itself, who needs no call.
        var continuation: CheckedContinuation<Turn, Never>?
    }

    private struct State {
        var waiting: Deque<Waiter> = []
        var waitingCost = 0
        var inFlight = 0
    }

    private let limits: Limits
    private let cost: @Sendable (Item) -> Int
    private let time: any NodeClock
    private let waited: @Sendable (Duration) -> Void
    private let perform: @Sendable ([Item]) async -> [Output]
    private let state = Mutex(State())

    /// A group.
    ///
    /// - Parameters:
    ///   - cost: what one item adds to a batch.
    ///   - time: by which waits are measured.
    ///   - waited: is told of each item how long it waited before its batch began.
    ///   - perform: does the work of a batch and gives one output for each item, in order.
    public init(
        limits: Limits, cost: @escaping @Sendable (Item) -> Int = { _ in 0 }, time: any NodeClock,
        waited: @escaping @Sendable (Duration) -> Void = { _ in },
        perform: @escaping @Sendable ([Item]) async -> [Output]
    ) {
        self.limits = limits
        self.cost = cost
        self.time = time
        self.waited = waited
        self.perform = perform
    }

    /// The output for `item`, once a batch with it has been performed; `nil` when too much waits already. Cancelling the
    /// task has no effect on it.
    public func submit(_ item: Item) async -> Output? {
        switch await self.join(item) {
        case .refused: return nil
        case .done(let output): return output
        case .lead(let batch): return await self.lead(batch)
        }
    }

    /// Performs for all. The caller's executor may be an event loop, which hundreds of items would keep from its connections.
    @concurrent private func lead(_ batch: [Waiter]) async -> Output {
        let begin = self.time.now
        for waiter in batch { self.waited(begin - waiter.since) }
        let outputs = await self.perform(batch.map(\.item))
        precondition(outputs.count == batch.count, "one output for each item")
        for (waiter, output) in zip(batch, outputs) { waiter.continuation?.resume(returning: .done(output)) }
        self.passOn()
        return outputs[0]
    }

    /// Whether nine tenths of the items or of the cost that may wait do so.
    public var isCongested: Bool {
        self.state.withLock { state in
            state.waiting.count >= self.limits.waitingCount / 10 * 9
                || state.waitingCost >= self.limits.waitingCost / 10 * 9
        }
    }

    /// How many items wait, for metrics.
    public var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    private func join(_ item: Item) async -> Turn {
        let cost = self.cost(item)
        let since = self.time.now
        return await withCheckedContinuation { continuation in
            let turn = self.state.withLock { state -> Turn? in
                if state.inFlight < self.limits.inFlight {
                    state.inFlight += 1
                    return .lead([Waiter(item: item, cost: cost, since: since, continuation: nil)])
                }
                guard state.waiting.count < self.limits.waitingCount,
                    cost <= self.limits.waitingCost - state.waitingCost
                else { return .refused }
                state.waiting.append(Waiter(item: item, cost: cost, since: since, continuation: continuation))
                state.waitingCost += cost
                return nil
            }
            if let turn { continuation.resume(returning: turn) }
        }
    }

    /// A batch ended: the slot goes to the first of those who wait, or becomes free.
    private func passOn() {
        let next = self.state.withLock { state -> (CheckedContinuation<Turn, Never>, [Waiter])? in
            var batch = self.takeBatch(&state)
            guard let leader = batch.first?.continuation else {
                state.inFlight -= 1
                return nil
            }
            batch[0].continuation = nil
            return (leader, batch)
        }
        if let (leader, batch) = next { leader.resume(returning: .lead(batch)) }
    }

    private func takeBatch(_ state: inout State) -> [Waiter] {
        var left = self.limits.batchCost
        var count = 0
        for waiter in state.waiting.prefix(self.limits.batchCount) {
            guard count == 0 || waiter.cost <= left else { break }
            left -= min(left, waiter.cost)
            count += 1
        }
        let batch = Array(state.waiting.prefix(count))
        state.waiting.removeFirst(count)
        state.waitingCost -= batch.reduce(0) { $0 + $1.cost }
        return batch
    }
}
