import Foundation

/// All rounds of all systems, and what they come to.
struct EndToEndReport: Sendable {
    let load: LoadOptions
    var systems: [SystemReport]

    /// Keys in order, so that two reports can be compared line by line.
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let document = Document(load: self.load, systems: self.systems.map(\.summary))
            return String(decoding: try encoder.encode(document), as: UTF8.self)
        }
    }

    /// For people: a column for each system.
    var table: String {
        let summaries = self.systems.map(\.summary)
        let parts = summaries.flatMap { summary in summary.cost.map { (summary.system, $0) } }
        var rows: [[String]] = [
            [""] + summaries.map(\.system),
            ["acknowledged, messages/s"] + summaries.map { Self.range($0.acknowledgedPerSecond) },
            ["delivered, messages/s"] + summaries.map { Self.range($0.deliveredPerSecond) },
            ["latency of 250, p50 ms"] + summaries.map { "\($0.latencyP50Milliseconds)" },
            ["latency of 250, p99 ms"] + summaries.map { "\($0.latencyP99Milliseconds)" },
            ["lost, duplicates"] + summaries.map { "\($0.lost), \($0.duplicates)" },
            ["CPU of all parts, ms/message"] + summaries.map { "\($0.processorMillisecondsPerMessage)" },
        ]
        for (system, part) in parts {
            let cost = "\(part.processorMillisecondsPerMessage) ms/message, \(part.memoryMebibytes) MiB"
            rows.append(["  \(part.part)"] + summaries.map { $0.system == system ? cost : "" })
        }
        let notes = summaries.map { "\($0.system): \($0.durability)\n  \($0.security)" }
        return (Self.aligned(rows) + [""] + notes).joined(separator: "\n")
    }

    private struct Document: Encodable {
        let load: LoadOptions
        let systems: [SystemSummary]
    }

    private static func range(_ spread: Spread) -> String {
        "\(spread.median) (\(spread.lowest) to \(spread.highest))"
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }
    }
}

/// The median of the rounds, and the ends.
struct Spread: Encodable, Sendable {
    let lowest: Int
    let median: Int
    let highest: Int

    init(_ values: [Double]) {
        let sorted = values.map { Int($0.rounded()) }.sorted()
        self.lowest = sorted.first ?? 0
        self.highest = sorted.last ?? 0
        self.median = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
