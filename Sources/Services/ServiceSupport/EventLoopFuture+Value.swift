package import NIOCore

extension EventLoopFuture where Value: Sendable {
    /// The value, or `nil` when the future failed. Unlike `get()` it stays on the caller's executor, so a destination that
    /// awaits a connection of its own event loop changes no thread.
    package nonisolated(nonsending) var value: Value? {
        get async {
            await withCheckedContinuation { continuation in
                self.whenComplete { continuation.resume(returning: try? $0.get()) }
            }
        }
    }
}
