package import Synchronization

/// A value that is replaced as a whole while others read it, such as what a file says.
package final class Replaceable<Value: Sendable>: Sendable {
    @usableFromInline let value: Mutex<Value>

    @inlinable package init(_ value: Value) { self.value = Mutex(value) }

    /// The value that is in force now. Whoever needs it twice for one decision takes it once.
    @inlinable package var current: Value { self.value.withLock { $0 } }

    /// From now on `value` is in force.
    @inlinable package func replace(with value: Value) { self.value.withLock { $0 = value } }
}
