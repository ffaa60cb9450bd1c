import Synchronization

/// A count that only grows; one atomic addition per event, safe from any thread.
public final class CounterSeries: Sendable {
    private let count = Atomic<UInt64>(0)

    /// Counts `amount` more events, or units such as bytes.
    public func increment(by amount: Int = 1) {
        self.count.wrappingAdd(UInt64(max(0, amount)), ordering: .relaxed)
    }

    /// The count so far.
    public var value: UInt64 { self.count.load(ordering: .relaxed) }
}

/// All series of one counter.
public struct Counter<Labels: MetricLabels>: Sendable {
    @usableFromInline let family: MetricFamily<Labels, CounterSeries>

    /// The handle of one series, for code that counts the same thing often. Labels outside the fixed set count nowhere.
    @inlinable
    public subscript(labels: Labels) -> CounterSeries { self.family[labels] }

    /// Counts one event, or `amount`.
    @inlinable
    public func increment(_ labels: Labels, by amount: Int = 1) { self[labels].increment(by: amount) }

    /// Counts one event under two labels.
    @inlinable
    public func increment<First, Second>(_ first: First, _ second: Second) where Labels == LabelPair<First, Second> {
        self[LabelPair(first, second)].increment()
    }

    /// Counts one event under three labels.
    @inlinable
    public func increment<First, Second, Third>(_ first: First, _ second: Second, _ third: Third)
    where Labels == LabelPair<First, LabelPair<Second, Third>> {
        self[LabelPair(first, LabelPair(second, third))].increment()
    }
}

extension Counter where Labels == NoLabels {
    /// Counts one event, or `amount`.
    @inlinable
    public func increment(by amount: Int = 1) { self[NoLabels()].increment(by: amount) }
}
