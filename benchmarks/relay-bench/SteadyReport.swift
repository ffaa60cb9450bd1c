/// All looks at a relay under a steady load, and what has grown.
struct SteadyReport: Sendable {
    /// A table or index may grow by a seventh and a mebibyte: it swings between two vacuums or rotations.
    private static let relationShare = 1.15
    private static let relationBytes = 1 << 20
    /// Memory may grow by a tenth and eight mebibytes.
    private static let memoryShare = 1.1
    private static let memoryBytes = 8 << 20

    let warmUp: Duration
    var samples: [SteadySample] = []
    /// Acknowledged for the sink, and not there a minute after the end.
    var missing = 0
    var refused = 0

    /// A figure of the first third and of the last.
    private struct Change {
        let name: String
        let first: Int
        let last: Int
        let unit: String
        let isAllowed: Bool

        var line: String {
            let share = self.first > 0 ? Double(self.last - self.first) * 100 / Double(self.first) : 0
            let mark = self.isAllowed ? "" : "   GROWS"
            return "\(self.name): \(self.first) → \(self.last) \(self.unit) (\(share.rounded(to: 1)) %)\(mark)"
        }
    }

    var hasGrown: Bool { self.missing > 0 || self.changes.contains { !$0.isAllowed } }

    var text: String {
        guard let end = self.samples.last else { return "no samples" }
        let rate = Double(end.acknowledged) / end.time.seconds
        let head = """
            \(end.acknowledged) messages in \(Int(end.time.seconds)) s, \(rate.rounded(to: 1)) a second; refused \(self.refused), \
            missing \(self.missing)
            first and last third of the time after \(Int(self.warmUp.seconds)) s; sizes are the most in each
            """
        return ([head] + self.changes.map(\.line)).joined(separator: "\n")
    }

    // MARK: - Thirds

    private var thirds: (first: [SteadySample], last: [SteadySample]) {
        let counted = self.samples.filter { $0.time >= self.warmUp }
        let third = max(1, counted.count / 3)
        return (Array(counted.prefix(third)), Array(counted.suffix(third)))
    }

    private var changes: [Change] {
        let (first, last) = self.thirds
        guard first.count > 1, last.count > 1 else { return [] }
        var changes = [
            Self.change("relayd in RAM", "KiB", first, last, Self.memoryShare, Self.memoryBytes) { $0.relayd },
            Self.change("PostgreSQL in RAM", "KiB", first, last, Self.memoryShare, Self.memoryBytes) { $0.postgres },
            Self.rate("WAL", first, last) { $0.wal },
            self.claims(first, last),
        ]
        let names = Set(self.samples.flatMap(\.sizes.keys)).sorted()
        // The trace is kept; what a message adds to it must stay the same.
        for name in names where Self.isKept(name) {
            changes.append(Self.rate(name, first, last) { $0.sizes[name] ?? 0 })
        }
        for name in names where !Self.isKept(name) {
            let change = Self.change(name, "KiB", first, last, Self.relationShare, Self.relationBytes) {
                $0.sizes[name] ?? 0
            }
            if change.last > 0 || change.first > 0 { changes.append(change) }
        }
        changes += Set(self.samples.flatMap(\.dead.keys)).sorted().compactMap { Self.deadRows($0, first, last) }
        return changes.filter { $0.first > 0 || $0.last > 0 }
    }

    private static func isKept(_ name: String) -> Bool { name.hasPrefix("trace") }

    private static func change(
        _ name: String, _ unit: String, _ first: [SteadySample], _ last: [SteadySample], _ share: Double, _ bytes: Int,
        _ value: (SteadySample) -> Int
    ) -> Change {
        let before = first.map(value).max() ?? 0
        let after = last.map(value).max() ?? 0
        return Change(
            name: name, first: before >> 10, last: after >> 10, unit: unit,
            isAllowed: Double(after) <= Double(before) * share + Double(bytes))
    }

    /// Bytes for each message that was taken.
    private static func rate(
        _ name: String, _ first: [SteadySample], _ last: [SteadySample], _ value: (SteadySample) -> Int
    ) -> Change {
        let before = Self.slope(first, value)
        let after = Self.slope(last, value)
        return Change(
            name: name, first: Int(before), last: Int(after), unit: "bytes a message",
            isAllowed: after <= before * Self.relationShare + 64)
    }

    private static func slope(_ samples: [SteadySample], _ value: (SteadySample) -> Int) -> Double {
        guard let start = samples.first, let end = samples.last, end.acknowledged > start.acknowledged else { return 0 }
        return Double(value(end) - value(start)) / Double(end.acknowledged - start.acknowledged)
    }

    /// From the node's histogram: the edge of the bucket in which the 99th percentile is.
    private func claims(_ first: [SteadySample], _ last: [SteadySample]) -> Change {
        let before = Self.claimQuantile(first)
        let after = Self.claimQuantile(last)
        // The next bucket is chance on a busy machine; two beyond, and over fifty milliseconds, are not.
        return Change(
            name: "99 % of claims, at most", first: before, last: after, unit: "microseconds",
            isAllowed: after <= max(2 * before, 50_000))
    }

    private static func claimQuantile(_ samples: [SteadySample]) -> Int {
        guard let start = samples.first, let end = samples.last else { return 0 }
        let counts = end.claims.map { ($0.key, $0.value - (start.claims[$0.key] ?? 0)) }.sorted { $0.0 < $1.0 }
        let all = counts.last?.1 ?? 0
        guard let edge = counts.first(where: { $0.1 >= all * 0.99 })?.0, edge.isFinite else { return .max >> 16 }
        return Int(edge * 1_000_000)
    }

    private static func deadRows(_ name: String, _ first: [SteadySample], _ last: [SteadySample]) -> Change? {
        let before = first.map { $0.dead[name] ?? 0 }.max() ?? 0
        let after = last.map { $0.dead[name] ?? 0 }.max() ?? 0
        guard before > 0 || after > 0 else { return nil }
        return Change(
            name: "\(name), dead rows", first: before, last: after, unit: "rows",
            isAllowed: Double(after) <= Double(before) * 1.5 + 10_000)
    }
}
