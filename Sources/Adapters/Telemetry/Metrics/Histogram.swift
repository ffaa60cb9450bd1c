import Synchronization

/// The upper bounds of a histogram's buckets, in the metric's base unit and rising; `+Inf` is implied.
public struct HistogramBuckets: Sendable {
    let bounds: [Double]

    /// 1 ms to 60 s: commands, handshakes, lookups, database operations.
    public static let operations = HistogramBuckets(bounds: [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ])
    /// 10 ms to 5 days: the time from a message's arrival to its delivery.
    public static let messageLifetime = HistogramBuckets(bounds: [
        0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 432_000,
    ])
    /// 1 KiB to 64 MiB in powers of four.
    public static let messageSize = HistogramBuckets(bounds: (5...13).map { Double(1 << (2 * $0)) })
}

/// A distribution: how often a value fell below each bound, and their sum.
public final class HistogramSeries: Sendable {
    private let bounds: [Double]
    private let buckets: [CounterSeries]
    private let sum = Atomic<Double>(0)

    init(_ buckets: HistogramBuckets) {
        self.bounds = buckets.bounds
        self.buckets = (0...buckets.bounds.count).map { _ in CounterSeries() }
    }

    /// Takes one value, in the metric's base unit.
    public func observe(_ value: Double) {
        self.buckets[self.bounds.firstIndex { value <= $0 } ?? self.bounds.count].increment()
        var current = self.sum.load(ordering: .relaxed)
        while true {
            let (exchanged, original) = self.sum.weakCompareExchange(
                expected: current, desired: current + value, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }

    /// Takes a duration, in seconds.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    /// Cumulative counts per bound, the last for `+Inf`, and the sum of all values. A value that is observed meanwhile
    /// may be in the one and not yet in the other, which Prometheus tolerates.
    var snapshot: (cumulative: [(bound: Double, count: UInt64)], sum: Double) {
        var total: UInt64 = 0
        let cumulative = zip(self.bounds + [.infinity], self.buckets).map { bound, bucket in
            total += bucket.value
            return (bound, total)
        }
        return (cumulative, self.sum.load(ordering: .relaxed))
    }
}

/// All series of one histogram.
public struct Histogram<Labels: MetricLabels>: Sendable {
    @usableFromInline let family: MetricFamily<Labels, HistogramSeries>

    /// The handle of one series. Labels outside the fixed set are kept nowhere.
    @inlinable
    public subscript(labels: Labels) -> HistogramSeries { self.family[labels] }

    /// Takes a duration, in seconds.
    @inlinable
    public func observe(_ labels: Labels, _ duration: Duration) { self[labels].observe(duration) }
}

extension Histogram where Labels == NoLabels {
    /// Takes a duration, in seconds.
    @inlinable
    public func observe(_ duration: Duration) { self[NoLabels()].observe(duration) }

    /// Takes one value, in the metric's base unit.
    @inlinable
    public func observe(_ value: Double) { self[NoLabels()].observe(value) }
}
