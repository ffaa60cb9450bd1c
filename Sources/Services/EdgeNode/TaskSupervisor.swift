/// Gives a parent to work that begins on an event loop.
///
/// A channel handler cannot `await`, and a loose task would outlive its service. The handler submits its work here, and
/// it runs as a child of `run()`, which returns only when all of it has ended.
final class TaskSupervisor: Sendable {
    typealias Operation = @Sendable () async -> Void

    private let operations: AsyncStream<Operation>
    private let continuation: AsyncStream<Operation>.Continuation

    /// - Parameter backlog: how many submissions may wait for `run()` to pick them up; one more is refused.
    init(backlog: Int) {
        (self.operations, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(backlog))
    }

    /// Starts `operation` as a child of `run()`. `false` when the backlog is full or the supervisor is closed: the
    /// operation will then never run.
    func submit(_ operation: @escaping Operation) -> Bool {
        if case .enqueued = self.continuation.yield(operation) { return true }
        return false
    }

    /// Accepts nothing more; `run()` returns when what was accepted has ended.
    func close() { self.continuation.finish() }

    /// Runs what is submitted until `close()`.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await operation in self.operations {
                group.addTask { await operation() }
            }
        }
    }
}
