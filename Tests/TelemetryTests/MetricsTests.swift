import Foundation
import Testing

@testable import Telemetry

private enum Colour: String, MetricLabel {
    static let labelName = "colour"
    case red
    case odd = "a\"b\\c\nd"
}

@Suite("Prometheus text format 0.0.4")
struct MetricsTests {
    let registry = MetricsRegistry()

    @Test("Every series of a counter is exposed before it first counts, with HELP and TYPE")
    func counters() {
        let counter = self.registry.counter("x_total", "Things.\nMany \\.", labels: Colour.allCases)
        counter.increment(.red)
        counter.increment(.red, by: 2)
        #expect(
            self.registry.exposition() == #"""
                # HELP x_total Things.\nMany \\.
                # TYPE x_total counter
                x_total{colour="red"} 3
                x_total{colour="a\"b\\c\nd"} 0

                """#)
    }

    @Test("Buckets are cumulative, their upper bounds are inclusive, and +Inf equals the count")
    func histograms() {
        let histogram = self.registry.histogram(
            "t_seconds", "Time.", labels: NoLabels.allCases, buckets: HistogramBuckets(bounds: [0.5, 1]))
        for value in [0.25, 0.5, 0.75, 7] { histogram.observe(value) }
        #expect(
            self.registry.exposition() == """
                # HELP t_seconds Time.
                # TYPE t_seconds histogram
                t_seconds_bucket{le="0.5"} 2
                t_seconds_bucket{le="1"} 3
                t_seconds_bucket{le="+Inf"} 4
                t_seconds_sum 8.5
                t_seconds_count 4

                """)
    }

    @Test("Counts of several tasks at once are all there")
    func concurrency() async {
        let counter = self.registry.counter("x_total", "Things.", labels: NoLabels.allCases)
        await withTaskGroup { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1000 { counter.increment() } } }
        }
        #expect(counter[NoLabels()].value == 8000)
    }

    @Test("process_* tell of this process")
    func process() {
        ProcessMetrics.register(in: self.registry)
        let lines = self.registry.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
        let values = Dictionary(
            uniqueKeysWithValues: lines.map { line in
                let words = line.split(separator: " ")
                return (String(words[0]), Double(words[1]) ?? -1)
            })
        #expect(values["process_resident_memory_bytes", default: 0] > 1_000_000)
        #expect(values["process_open_fds", default: 0] >= 3)
        #expect(values["process_threads", default: 0] >= 1)
        #expect(values["process_start_time_seconds", default: 0] > 1_500_000_000)
        #expect(values["process_cpu_seconds_total"] != nil && values["process_max_fds"] != nil)
    }
}
