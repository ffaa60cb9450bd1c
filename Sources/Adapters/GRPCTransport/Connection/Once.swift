import Synchronization

/// A value that comes once: tasks wait for it, and callbacks hear of it. Only the first value counts.
final class Once<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var callbacks: [UInt64: @Sendable (Value) -> Void] = [:]
        var nextWatch: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Whether it has come.
    var isSet: Bool { self.state.withLock { $0.value != nil } }

    func set(_ value: Value) {
        let callbacks = self.state.withLock { state -> [@Sendable (Value) -> Void] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.callbacks = [:] }
            return Array(state.callbacks.values)
        }
        for callback in callbacks { callback(value) }
    }

    /// Calls `body` with the value, at once if it is there. The result is for `forget`.
    @discardableResult
    func whenSet(_ body: @escaping @Sendable (Value) -> Void) -> UInt64 {
        let (value, watch) = self.state.withLock { state -> (Value?, UInt64) in
            state.nextWatch += 1
            if state.value == nil { state.callbacks[state.nextWatch] = body }
            return (state.value, state.nextWatch)
        }
        if let value { body(value) }
        return watch
    }

    /// Drops a callback that was not called yet.
    func forget(_ watch: UInt64) { self.state.withLock { $0.callbacks[watch] = nil } }

    /// Waits for the value. Who sets it must do so in bounded time: cancellation does not end this.
    func get() async -> Value {
        await withCheckedContinuation { continuation in
            self.whenSet { continuation.resume(returning: $0) }
        }
    }
}
