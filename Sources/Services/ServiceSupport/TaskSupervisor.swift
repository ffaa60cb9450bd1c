import Synchronization

/// Gives a parent to work that begins on an event loop.
///
/// A channel handler cannot `await`, and a loose task would outlive its service. The handler submits its work here, and
/// it runs as a child of `run()`, which returns only when all of it has ended. Whatever was accepted is run, even when
/// `run()` is cancelled: somebody waits for its answer.
package final class TaskSupervisor: Sendable {
    package typealias Operation = @Sendable () async -> Void

    private struct State {
        var waiting: [Operation] = []
        /// Submitted and not ended.
        var open = 0
        var isClosed = false
        var runner: CheckedContinuation<[Operation], Never>?
    }

    private let backlog: Int
    private let atOnce: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - backlog: how many submissions may wait for `run()` to pick them up; one more is refused.
    ///   - atOnce: how many may not have ended yet; one more is refused.
    package init(backlog: Int, atOnce: Int = .max) {
        self.backlog = backlog
        self.atOnce = atOnce
    }

    /// How many were submitted and have not ended.
    package var openCount: Int { self.state.withLock(\.open) }

    /// Starts `operation` as a child of `run()`. `false` when there are too many, or the supervisor is closed:
    /// the operation will then never run.
    package func submit(_ operation: @escaping Operation) -> Bool {
        let (isAccepted, runner) = self.state.withLock { state in
            guard !state.isClosed, state.waiting.count < self.backlog, state.open < self.atOnce else {
                return (false, nil as CheckedContinuation<[Operation], Never>?)
            }
            state.open += 1
            if let runner = state.runner.take() { return (true, runner) }
            state.waiting.append(operation)
            return (true, nil)
        }
        runner?.resume(returning: [operation])
        return isAccepted
    }

    /// Accepts nothing more; `run()` returns when what was accepted has ended.
    package func close() {
        let runner = self.state.withLock { state in
            state.isClosed = true
            return state.runner.take()
        }
        runner?.resume(returning: [])
    }

    /// Runs what is submitted until `close()`. To be called once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            while true {
                let operations = await self.next()
                if operations.isEmpty { break }
                for operation in operations {
                    group.addTask {
                        await operation()
                        self.state.withLock { $0.open -= 1 }
                    }
                }
            }
        }
    }

    /// What was submitted, as soon as there is something; nothing once all is done.
    private func next() async -> [Operation] {
        await withCheckedContinuation { continuation in
            let operations = self.state.withLock { state -> [Operation]? in
                if !state.waiting.isEmpty { return exchange(&state.waiting, with: []) }
                if state.isClosed { return [] }
                state.runner = continuation
                return nil
            }
            if let operations { continuation.resume(returning: operations) }
        }
    }
}
