import ControlPlane
import Foundation
import Telemetry
import Testing

/// `docs/metrics.md` names what `relay-controller` counts, and nothing else.
@Suite("The page of the controller's metrics")
struct MetricsPageTests {
    @Test("Each metric has its row in metrics.md, with its kind and its help, and the page names no other")
    func rows() throws {
        let registry = MetricsRegistry.ofController
        _ = ControllerMetrics(in: registry, version: "1", revision: "r")
        let lines = registry.exposition().split(separator: "\n").map { $0.split(separator: " ", maxSplits: 3) }
        let help = lines.filter { $0[1] == "HELP" && $0[2].hasPrefix("relay_controller_") }
            .map { (name: $0[2], text: $0[3]) }
        let kinds = Dictionary(uniqueKeysWithValues: lines.filter { $0[1] == "TYPE" }.map { ($0[2], $0[3]) })
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/metrics.md")
        let page = try String(contentsOf: path, encoding: .utf8)
        for metric in help {
            let row = "| `\(metric.name)` | \(kinds[metric.name] ?? "") | \(metric.text) |"
            #expect(page.contains("\n\(row)\n"), "docs/metrics.md lacks:\n\(row)")
        }
        let named = Set(page.matches(of: /relay_controller_[a-z0-9_]+[a-z0-9]/).map(\.output))
        #expect(named == Set(help.map(\.name)))
    }
}
