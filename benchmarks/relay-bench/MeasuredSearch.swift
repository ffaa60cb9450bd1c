import PostgresDriver

/// What came of one kind of search.
struct MeasuredSearch: Sendable {
    let name: String
    let timings: Timings
    /// The most rows that one search found.
    let most: Int
    let plan: TracePlan

    /// No large partition was read whole.
    var readsIndicesOnly: Bool { self.plan.isServed }

    /// A line of the report.
    var text: String {
        let cells = [(self.name, 32), (self.timings.text, 24), ("\(self.most)", 6)]
        return cells.map { $0.0 + String(repeating: " ", count: max(1, $0.1 - $0.0.count)) }.joined() + self.plan.text
    }

    /// The head of the report.
    static let head = "search                          p50 / p99 / most, ms    rows  plan"
}

/// How PostgreSQL reads the trace for a search: its scans, with how many partitions each was made of.
struct TracePlan: Sendable {
    /// By what is read and how.
    private var scans: [String: Int] = [:]
    private(set) var isServed = true

    /// As `EXPLAIN` has it.
    init(of search: TraceQuery, in world: TraceWorld) async throws {
        let indices = try await world.parentIndices()
        let large = try await world.largePartitions()
        for line in try await world.operators.query(search.explanation).rows {
            let words = try line.get(0, as: String.self).split(separator: " ").map(String.init)
            guard let end = words.firstIndex(of: "Scan") else { continue }
            // Such as "-> Index Scan Backward using I on T" and "-> Bitmap Index Scan on I".
            let kind = words[...end].filter { $0 != "->" }.joined(separator: " ")
            guard let name = words[(end + 1)...].first(where: { !["using", "on", "Backward"].contains($0) }) else {
                continue
            }
            // What it reads is told by the scans of indices below it.
            if kind == "Bitmap Heap Scan" { continue }
            guard kind.hasSuffix("Seq Scan") else {
                self.scans["\(kind) by \(indices[name] ?? name)", default: 0] += 1
                continue
            }
            guard large.contains(name) else { continue }
            self.isServed = false
            self.scans[kind, default: 0] += 1
        }
    }

    /// Such as `31 × Index Scan by trace_by_sender`.
    var text: String {
        self.scans.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
    }
}
