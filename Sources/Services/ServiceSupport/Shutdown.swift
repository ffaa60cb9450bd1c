import ServiceLifecycle

/// What tells a service to end.
package struct Shutdown: Sendable {
    /// Returns when it is time to end, or when the task is cancelled.
    private let wait: @Sendable () async -> Void

    /// One that has come when `wait` returns.
    package init(_ wait: @escaping @Sendable () async -> Void) { self.wait = wait }

    /// The graceful shutdown of the service group.
    package static let graceful = Shutdown { try? await gracefulShutdown() }

    /// Does something that is cancelled when it is time to end.
    package func cancels<Value: Sendable>(_ operation: @escaping @Sendable () async -> Value) async -> Value {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await operation() }
            group.addTask {
                await self.wait()
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            if let value = first ?? nil { return value }
            guard let value = await group.next() ?? nil else { preconditionFailure("an operation ends once") }
            return value
        }
    }
}
