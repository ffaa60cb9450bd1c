import Synchronization

/// Every metric of one process, and its text for Prometheus.
///
/// Metrics are made once, at the start; there is no global registry, so that tests can run side by side.
public final class MetricsRegistry: Sendable {
    /// Writes one metric, head and series.
    typealias Collector = @Sendable (inout Exposition) -> Void

    private let collectors = Mutex<[(name: String, collect: Collector)]>([])

    private let namespace: String

    /// An empty registry. The names of its metrics begin with `namespace` and an underscore, unless that is empty.
    public init(namespace: String = "") { self.namespace = namespace }

    /// Makes a counter. By convention its name ends in `_total`.
    public func counter<Labels: MetricLabels>(
        _ name: String, _ help: String, labels: some Sequence<Labels>
    ) -> Counter<Labels> {
        let name = self.full(name)
        let family = MetricFamily(name: name, labels: labels) { CounterSeries() }
        self.add(name) { text in
            text.begin(name, .counter, help)
            for (labels, series) in family.series {
                text.sample(name, labels.pairs, Double(series.value))
            }
        }
        return Counter(family: family)
    }

    /// Makes a gauge.
    public func gauge<Labels: MetricLabels>(
        _ name: String, _ help: String, labels: some Sequence<Labels>
    ) -> Gauge<Labels> {
        let name = self.full(name)
        let family = MetricFamily(name: name, labels: labels) { GaugeSeries() }
        self.add(name) { text in
            text.begin(name, .gauge, help)
            for (labels, series) in family.series {
                text.sample(name, labels.pairs, Double(series.value))
            }
        }
        return Gauge(family: family)
    }

    /// Makes a histogram. Its name ends in its base unit, `_seconds` or `_bytes`.
    public func histogram<Labels: MetricLabels>(
        _ name: String, _ help: String, labels: some Sequence<Labels>, buckets: HistogramBuckets
    ) -> Histogram<Labels> {
        let name = self.full(name)
        let family = MetricFamily(name: name, labels: labels) { HistogramSeries(buckets) }
        self.add(name) { text in
            text.begin(name, .histogram, help)
            for (labels, series) in family.series { text.histogram(name, labels.pairs, series) }
        }
        return Histogram(family: family)
    }

    /// Exposes a number that is asked for at each scrape; `nil` leaves it out.
    public func observed(
        _ name: String, _ kind: MetricKind, _ help: String, labels: [(name: String, value: String)] = [],
        value: @escaping @Sendable () -> Double?
    ) {
        self.observed(unprefixed: self.full(name), kind, help, labels: labels, value: value)
    }

    /// The same under a name that has no namespace.
    func observed(
        unprefixed name: String, _ kind: MetricKind, _ help: String, labels: [(name: String, value: String)] = [],
        value: @escaping @Sendable () -> Double?
    ) {
        self.add(name) { text in
            guard let value = value() else { return }
            text.begin(name, kind, help)
            text.sample(name, labels, value)
        }
    }

    /// The value of the `Content-Type` field that goes with `exposition()`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The text of all metrics in the order in which they were made (Prometheus text format 0.0.4).
    public func exposition() -> String {
        let collectors = self.collectors.withLock { $0 }
        var text = Exposition()
        for collector in collectors { collector.collect(&text) }
        return text.text
    }

    /// The name with the namespace before it.
    func full(_ name: String) -> String { self.namespace.isEmpty ? name : "\(self.namespace)_\(name)" }

    func add(_ name: String, _ collect: @escaping Collector) {
        self.collectors.withLock { collectors in
            // Two metrics of one name would make the whole page unreadable; that is a mistake in our own code.
            precondition(!collectors.contains { $0.name == name }, "the metric \(name) is declared twice")
            collectors.append((name, collect))
        }
    }
}

/// Metrics whose series follow from the type of their labels: from that of the property that is being set.
extension MetricsRegistry {
    /// Makes a counter.
    public func counter<Labels: MetricLabels & CaseIterable>(_ name: String, _ help: String) -> Counter<Labels> {
        self.counter(name, help, labels: Labels.allCases)
    }

    /// Makes a gauge.
    public func gauge<Labels: MetricLabels & CaseIterable>(_ name: String, _ help: String) -> Gauge<Labels> {
        self.gauge(name, help, labels: Labels.allCases)
    }

    /// Makes a histogram of durations of operations.
    public func seconds<Labels: MetricLabels & CaseIterable>(_ name: String, _ help: String) -> Histogram<Labels> {
        self.histogram(name, help, .operations)
    }

    /// Makes a histogram with these buckets.
    public func histogram<Labels: MetricLabels & CaseIterable>(
        _ name: String, _ help: String, _ buckets: HistogramBuckets
    ) -> Histogram<Labels> {
        self.histogram(name, help, labels: Labels.allCases, buckets: buckets)
    }
}
