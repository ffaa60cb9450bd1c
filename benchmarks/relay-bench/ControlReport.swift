import Foundation

/// What came of a run.
struct ControlReport: Encodable, Sendable {
    let load: ControlLoad
    var stages: [ControlStage] = []
    /// Memory of the controller for each node.
    var bytesPerNode = 0

    /// Each node came to where it should, in each stage.
    var isComplete: Bool { self.stages.allSatisfy { $0.missing == 0 } }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    var table: String {
        let head = ["", "p50 s", "p99 s", "max s", "missing", "CPU s", "of s", "RSS MiB", "peak MiB"]
        let rows = [head] + self.stages.map(\.row)
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }
        let load = "\(self.load.nodes) nodes, \(self.load.domains) domains, \(self.bytesPerNode / 1024) KiB a node"
        return ([load] + lines).joined(separator: "\n")
    }
}

/// What a stage took.
struct ControlStage: Encodable, Sendable {
    let name: String
    /// Of the nodes, in seconds; `nil` where nothing is waited for.
    let p50, p99, most: Double?
    /// Nodes that did not come to where they should.
    let missing: Int
    /// Processor time of the controller, and the length of the stage.
    let processorSeconds, seconds: Double
    /// Resident memory of the controller at the end, and at most.
    let bytes, peakBytes: Int

    init(
        _ name: String, _ times: ControlFleet.Times, elapsed: Duration, processor: Duration, memory: Int, peak: Int
    ) {
        var timings = Timings()
        for duration in times.durations { timings.add(duration) }
        let quantile = { (part: Double) in
            times.durations.isEmpty ? nil : (timings.quantile(part) / 1000).rounded(to: 2)
        }
        self.name = name
        (self.p50, self.p99, self.most) = (quantile(0.5), quantile(0.99), quantile(1))
        self.missing = times.missing
        self.processorSeconds = processor.seconds.rounded(to: 2)
        self.seconds = elapsed.seconds.rounded(to: 1)
        (self.bytes, self.peakBytes) = (memory, max(memory, peak))
    }

    var row: [String] {
        [self.name] + [self.p50, self.p99, self.most].map { $0.map { "\($0)" } ?? "" }
            + [
                "\(self.missing)", "\(self.processorSeconds)", "\(self.seconds)", "\(self.bytes >> 20)",
                "\(self.peakBytes >> 20)",
            ]
    }
}
