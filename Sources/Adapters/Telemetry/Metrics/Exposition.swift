/// What a metric is, in Prometheus' words.
public enum MetricKind: String, Sendable {
    case counter, gauge, histogram
}

/// Writes the Prometheus text format, version 0.0.4.
struct Exposition {
    private(set) var text = ""

    /// The two lines in front of the series of a metric.
    mutating func begin(_ name: String, _ kind: MetricKind, _ help: String) {
        self.text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// One series.
    mutating func sample(_ name: String, _ labels: [(name: String, value: String)], _ value: Double) {
        self.text += name
        if !labels.isEmpty {
            let list = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
            self.text += "{\(list.joined(separator: ","))}"
        }
        self.text += " \(Self.number(value))\n"
    }

    /// The buckets, sum and count of one distribution.
    mutating func histogram(_ name: String, _ labels: [(name: String, value: String)], _ series: HistogramSeries) {
        let (cumulative, sum) = series.snapshot
        for (bound, count) in cumulative {
            self.sample("\(name)_bucket", labels + [("le", Self.number(bound))], Double(count))
        }
        self.sample("\(name)_sum", labels, sum)
        self.sample("\(name)_count", labels, Double(cumulative.last?.count ?? 0))
    }

    /// Backslash and line feed are escaped everywhere, the quotation mark in label values only.
    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A number as Go reads it: whole ones without a point, infinity as `+Inf`.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }
}
