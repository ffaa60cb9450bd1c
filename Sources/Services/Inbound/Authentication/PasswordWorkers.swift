import Cryptography
import NIOPosix
import ServiceSupport

/// Compares passwords with hashes on threads of their own, because each comparison takes long and much memory. That is
/// at most as many times the memory of one hash as there are threads.
final class PasswordWorkers: Sendable {
    private let pool: NIOThreadPool
    private let workers: BoundedWorkers

    /// - Parameters:
    ///   - threads: comparisons at once.
    ///   - waiting: comparisons that may wait for a thread; one more is refused.
    init(threads: Int, waiting: Int) {
        self.pool = NIOThreadPool(numberOfThreads: threads)
        self.workers = BoundedWorkers(on: self.pool, limit: threads + waiting)
        self.pool.start()
    }

    /// Whether `hash` is that of `password`. It is `nil` when too many wait, when `isStillWanted` says no once a thread
    /// is free, or after the end.
    func matches(
        _ password: [UInt8], _ hash: PasswordHash, isStillWanted: @escaping @Sendable () -> Bool
    ) async -> Bool? {
        await self.workers.run { isStillWanted() ? hash.matches(password) : nil } ?? nil
    }

    /// Ends the threads, after the comparisons that they are at.
    func shutDown() async { try? await self.pool.shutdownGracefully() }
}
