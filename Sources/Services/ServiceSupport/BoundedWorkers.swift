package import NIOPosix
import Synchronization

/// Runs work that takes long on threads, so that event loops and tasks go on meanwhile. No more of it waits than the
/// limit allows.
package final class BoundedWorkers: Sendable {
    private let pool: NIOThreadPool
    private let limit: Int
    private let underWay = Mutex(0)

    /// Workers on the threads of `pool`. `limit`: pieces of work that run or wait; one more is refused.
    package init(on pool: NIOThreadPool, limit: Int) {
        self.pool = pool
        self.limit = limit
    }

    /// What `work` gives; `nil` beyond the limit, or after the end of the threads.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        let isAdmitted = self.underWay.withLock { count in
            guard count < self.limit else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { return nil }
        defer { self.underWay.withLock { $0 -= 1 } }
        return try? await self.pool.runIfActive { work() }
    }
}
