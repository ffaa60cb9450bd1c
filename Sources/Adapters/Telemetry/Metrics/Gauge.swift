import Synchronization

/// A whole number that goes up and down, such as open connections or seconds since 1970.
public final class GaugeSeries: Sendable {
    private let number = Atomic<Int>(0)

    /// Replaces the value.
    public func set(_ value: Int) { self.number.store(value, ordering: .relaxed) }

    /// Adds to the value; negative numbers take away.
    public func add(_ difference: Int) { self.number.wrappingAdd(difference, ordering: .relaxed) }

    /// The value now.
    public var value: Int { self.number.load(ordering: .relaxed) }
}

/// All series of one gauge.
public struct Gauge<Labels: MetricLabels>: Sendable {
    @usableFromInline let family: MetricFamily<Labels, GaugeSeries>

    /// The handle of one series. Labels outside the fixed set are kept nowhere.
    @inlinable
    public subscript(labels: Labels) -> GaugeSeries { self.family[labels] }

    /// Replaces the value of one series.
    @inlinable
    public func set(_ labels: Labels, to value: Int) { self[labels].set(value) }

    /// Adds to one series; negative numbers take away.
    @inlinable
    public func add(_ labels: Labels, _ difference: Int) { self[labels].add(difference) }
}

extension Gauge where Labels == NoLabels {
    /// Replaces the value.
    @inlinable
    public func set(_ value: Int) { self[NoLabels()].set(value) }

    /// Adds to the value; negative numbers take away.
    @inlinable
    public func add(_ difference: Int) { self[NoLabels()].add(difference) }

    /// Replaces the value by 1 or 0.
    @inlinable
    public func set(_ condition: Bool) { self.set(condition ? 1 : 0) }
}
