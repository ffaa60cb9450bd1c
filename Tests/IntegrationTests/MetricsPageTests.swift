import Foundation
import LabRelay
import QueueStore
import Testing

/// Unpacked by ops/lib/unpack-peers.
private let promtool = URL(filePath: FileManager.default.currentDirectoryPath)
    .appending(path: ".build/peers/prometheus/usr/bin/promtool").path

@Suite("The page of metrics", .lab([.dane("bravo.test")]), .timeLimit(.minutes(2)))
struct MetricsPageTests {
    @Test(
        "promtool finds nothing wrong with the page of a node that has delivered mail",
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: promtool),
            "ops/lib/unpack-peers has not unpacked prometheus"))
    func checkedByPromtool() async throws {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@bravo.test")
        try await lab.wait(for: id) { $0.first(.send) != nil }
        let page = try await lab.relayd.metrics()
        for name in [
            "relayd_certificate_not_after_timestamp_seconds{slot=\"0\"}",
            "relayd_queue_oldest_message_timestamp_seconds{state=\"deferred\"}", "process_open_fds",
        ] {
            #expect(page.contains("\n\(name) "), "\(name)")
        }
        let check = try await ProgramRun.of([promtool, "check", "metrics"], input: page)
        #expect(check.status == 0 && check.output.isEmpty && check.errors.isEmpty, "\(check.output)\(check.errors)")
    }
}
