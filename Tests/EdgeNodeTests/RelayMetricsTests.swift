import Delivery
import Foundation
import Inbound
import ServiceSupport
import Telemetry
import Testing

@testable import EdgeNode

/// Unpacked by ops/lib/unpack-peers.
private enum Promtool {
    static let program = URL(filePath: FileManager.default.currentDirectoryPath)
        .appending(path: ".build/peers/prometheus/usr/bin/promtool")
}

@Suite("The metrics of relayd")
struct RelayMetricsTests {
    let registry = MetricsRegistry.ofRelayd

    @Test("A label outside the fixed set makes no new series")
    func unknownLabel() {
        let metrics = RelayMetrics(in: self.registry, listeners: ["smtp"], version: "1", revision: "r")
        metrics.inbound.smtpdConnections.add(ListenerLabel("nowhere"), 1)
        let text = self.registry.exposition()
        #expect(text.contains("relayd_smtpd_connections{listener=\"smtp\"} 0\n"))
        #expect(!text.contains("nowhere"))
    }

    @Test("The catalogue exposes names of the operators' interface, and every sample line is well formed")
    func catalogue() throws {
        let metrics = RelayMetrics(in: self.registry, listeners: ["smtp"], version: "1.2", revision: "abc")
        metrics.inbound.smtpdTLSHandshakes.increment(.success, .tls13, .full)
        metrics.delivery.deliveryFailures.increment(DeliveryFailureCode(enhancedStatusCode: "5.7.323"))
        metrics.delivery.deliveryFailures.increment(DeliveryFailureCode(enhancedStatusCode: "5.9.99"))
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
        metrics.inbound.certificateNotAfter.set([2_000_000_000, 1_900_000_000])
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
}
