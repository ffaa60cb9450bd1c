import Synchronization

/// A gauge whose series are numbered by one label, from 0, and are replaced all at once. There is one for each element
/// of a list in the configuration, which bounds their number and may grow with a reload.
public final class NumberedGauge: Sendable {
    private let values = Mutex<[Int]>([])

    init() {}

    /// Replaces all series.
    public func set(_ values: [Int]) { self.values.withLock { $0 = values } }

    /// The values now, by number.
    var series: [Int] { self.values.withLock { $0 } }
}

extension MetricsRegistry {
    /// Makes a gauge whose series are numbered by `label`; without series it is left out.
    public func numberedGauge(_ name: String, _ help: String, label: String) -> NumberedGauge {
        let (gauge, name) = (NumberedGauge(), self.full(name))
        self.add(name) { text in
            let series = gauge.series
            guard !series.isEmpty else { return }
            text.begin(name, .gauge, help)
            for (number, value) in series.enumerated() {
                text.sample(name, [(name: label, value: "\(number)")], Double(value))
            }
        }
        return gauge
    }
}
