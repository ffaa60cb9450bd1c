import Foundation
import Testing

@testable import Telemetry

private enum Colour: String, MetricLabel {
    static let labelName = "colour"
    case red
    case odd = "a\"b\\c\nd"
}

/// Unpacked by ops/lib/unpack-peers.
private enum Promtool {
    static let program = URL(filePath: FileManager.default.currentDirectoryPath)
        .appending(path: ".build/peers/prometheus/usr/bin/promtool")
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

    @Test("A label outside the fixed set makes no new series")
    func unknownLabel() {
        let metrics = RelayMetrics(in: self.registry, listeners: ["smtp"], version: "1", revision: "r")
        metrics.smtpdConnections.add(ListenerLabel("nowhere"), 1)
        let text = self.registry.exposition()
        #expect(text.contains("relayd_smtpd_connections{listener=\"smtp\"} 0\n"))
        #expect(!text.contains("nowhere"))
    }

    @Test("The catalogue exposes names of the operators' interface, and every sample line is well formed")
    func catalogue() throws {
        let metrics = RelayMetrics(in: self.registry, listeners: ["smtp"], version: "1.2", revision: "abc")
        metrics.smtpdTLSHandshakes.increment(.success, .tls13, .full)
        metrics.deliveryFailures.increment(DeliveryFailureCode(enhancedStatusCode: "5.7.323"))
        metrics.deliveryFailures.increment(DeliveryFailureCode(enhancedStatusCode: "5.9.99"))
        let lines = self.registry.exposition().split(separator: "\n").map(String.init)
        let expected = [
            #"relayd_smtpd_tls_handshakes_total{result="success",version="TLSv1.3",resumed="false"} 1"#,
            #"relayd_delivery_failures_total{code="4.7.323"} 1"#,
            #"relayd_delivery_failures_total{code="other"} 1"#,
            #"relayd_build_info{version="1.2",revision="abc"} 1"#,
            #"relayd_draining 0"#,
        ]
        for line in expected { #expect(lines.contains(line)) }
        let sample = try Regex(#"[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? (\+Inf|[-0-9.e+]+)"#)
        for line in lines where !line.hasPrefix("#") { #expect(line.wholeMatch(of: sample) != nil, "\(line)") }
    }

    @Test(
        "promtool finds nothing wrong with the page of metrics",
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: Promtool.program.path),
            "ops/lib/unpack-peers has not unpacked prometheus"))
    func checkedByPromtool() throws {
        let metrics = RelayMetrics(in: self.registry, listeners: ["smtp"], version: "1.2", revision: "abc")
        metrics.certificateNotAfter.set([2_000_000_000, 1_900_000_000])
        let text = self.registry.exposition()
        #expect(text.contains("relayd_certificate_not_after_timestamp_seconds{slot=\"1\"} 1900000000\n"))
        let page = FileManager.default.temporaryDirectory.appending(path: "metrics-\(UUID().uuidString)")
        try Data(text.utf8).write(to: page)
        defer { try? FileManager.default.removeItem(at: page) }
        let (check, output) = (Process(), Pipe())
        check.executableURL = Promtool.program
        check.arguments = ["check", "metrics"]
        check.standardInput = try FileHandle(forReadingFrom: page)
        check.standardError = output
        check.standardOutput = output
        try check.run()
        let words = try output.fileHandleForReading.readToEnd() ?? Data()
        check.waitUntilExit()
        #expect(check.terminationStatus == 0 && words.isEmpty, "\(String(decoding: words, as: UTF8.self))")
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
