import Foundation
import Inbound
import MailModel
import RelayConfiguration
import Telemetry
import Testing

@testable import EdgeNode

/// The pages of `docs` for operators name what exists, and all of it.
@Suite("The pages of reference")
struct ReferencePagesTests {
    private static let pages = [
        "configuration", "policy", "limits", "delivery", "dsn", "queue", "metrics", "log", "database", "security",
    ]

    private static func text(of page: String) throws -> String {
        let docs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs")
        return try String(contentsOf: docs.appending(path: "\(page).md"), encoding: .utf8)
    }

    private static func everything() throws -> String {
        try self.pages.map { try self.text(of: $0) }.joined()
    }

    @Test(
        "Each metric has its row in metrics.md, with its kind and its help, and no page names one that does not exist")
    func metrics() throws {
        let registry = MetricsRegistry.ofRelayd
        let metrics = RelayMetrics(in: registry, listeners: ["smtp"], hasController: true, version: "1", revision: "r")
        metrics.inbound.certificateNotAfter.set([2_000_000_000])
        let lines = registry.exposition().split(separator: "\n").map { $0.split(separator: " ", maxSplits: 3) }
        let help = lines.filter { $0[1] == "HELP" }.map { (name: $0[2], text: $0[3]) }
        let kinds = Dictionary(uniqueKeysWithValues: lines.filter { $0[1] == "TYPE" }.map { ($0[2], $0[3]) })
        let page = try Self.text(of: "metrics")
        for metric in help where metric.name.hasPrefix("relayd_") {
            let row = "| `\(metric.name)` | \(kinds[metric.name] ?? "") | \(metric.text) |"
            #expect(page.contains("\n\(row)\n"), "docs/metrics.md lacks:\n\(row)")
        }
        let names = Set(help.map(\.name))
        for match in try Self.everything().matches(of: /relayd_[a-z0-9_]+[a-z0-9]/) {
            #expect(names.contains(match.output), "\(match.output) does not exist")
        }
    }

    @Test("delivery.md has each reason of a failure with its code, and no other")
    func codes() throws {
        let rows = try Self.text(of: "delivery").matches(of: /\n\| ((?:4\/)?5\.\d+\.\d+) \| ([a-z-]+) \|/)
            .map { "\($0.output.1) \($0.output.2)" }
        let expected = FailureReason.allCases.map { reason in
            "\(reason.isPermanent ? "" : "4/")\(reason.permanentStatus) \(reason.name)"
        }
        #expect(rows.sorted() == expected.sorted())
    }

    @Test("Each setting stands in a page, and no page names one that does not exist")
    func settings() throws {
        let text = try Self.everything()
        let keys = ConfigurationSchema.settings.map(\.key)
        let blocks = text.matches(of: /```yaml\n([\s\S]*?)```/).map { String($0.output.1) }.joined()
        for key in keys {
            let leaf = key.split(separator: ".").last.map(String.init) ?? key
            let isShown = text.contains("`\(key)`") || text.contains("`\(key):") || blocks.contains("\(leaf):")
            #expect(isShown, "\(key) stands in no page")
        }
        let sections = Set(keys.compactMap { $0.contains(".") ? $0.split(separator: ".").first : nil })
        // limits.md has those of the control channel, too, of which some are the controller's settings.
        let known = keys + ControllerConfiguration.schema.settings.map(\.key)
        for match in text.matches(of: /`([a-z-]+)\.([a-z0-9.-]*[a-z0-9])(:[^`]*)?`/)
        where sections.contains(match.output.1) {
            let key = "\(match.output.1).\(match.output.2)"
            #expect(known.contains { $0 == key || $0.hasPrefix("\(key).") }, "\(key) does not exist")
        }
    }
}
