import Synchronization

/// Wakes those who follow a value that has changed. Several changes may be one wake-up; none is lost.
package final class Wakeups: Sendable {
    private let listeners = Mutex<(next: UInt64, all: [UInt64: AsyncStream<Void>.Continuation])>((0, [:]))

    package init() {}

    /// Somebody who follows.
    package struct Follower: Sendable {
        /// Has an element after each change from now on; it holds one at most.
        package let wakeups: AsyncStream<Void>
        private let continuation: AsyncStream<Void>.Continuation

        fileprivate init(_ wakeups: AsyncStream<Void>, _ continuation: AsyncStream<Void>.Continuation) {
            self.wakeups = wakeups
            self.continuation = continuation
        }

        /// Wakes this one only.
        package func wake() { self.continuation.yield() }
    }

    /// Begins to follow; that ends with the last iteration of the stream.
    package func follow() -> Follower {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = self.listeners.withLock { listeners in
            listeners.next += 1
            listeners.all[listeners.next] = continuation
            return listeners.next
        }
        continuation.onTermination = { [weak self] _ in self?.remove(id) }
        return Follower(stream, continuation)
    }

    /// Something has changed.
    package func wake() {
        for listener in self.listeners.withLock({ Array($0.all.values) }) { listener.yield() }
    }

    private func remove(_ id: UInt64) { self.listeners.withLock { _ = $0.all.removeValue(forKey: id) } }
}
