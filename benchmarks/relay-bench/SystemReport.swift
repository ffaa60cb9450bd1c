/// The rounds of one system that count.
struct SystemReport: Sendable {
    let system: MeasuredSystem
    var rounds: [RoundResult] = []

    var summary: SystemSummary {
        let latencies = self.rounds.flatMap(\.latencies).map { $0.seconds * 1000 }.sorted()
        let messages = max(1, latencies.count)
        return SystemSummary(
            system: self.system.name, durability: self.system.durability, security: self.system.security,
            rounds: self.rounds.count,
            acknowledgedPerSecond: Spread(self.rounds.map { Double($0.latencies.count) / $0.acknowledged.seconds }),
            deliveredPerSecond: Spread(self.rounds.map { Double($0.latencies.count) / $0.delivered.seconds }),
            latencyP50Milliseconds: Self.quantile(0.50, of: latencies),
            latencyP99Milliseconds: Self.quantile(0.99, of: latencies),
            lost: self.rounds.reduce(0) { $0 + $1.lost }, duplicates: self.rounds.reduce(0) { $0 + $1.duplicates },
            cost: self.system.parts.map { self.cost(of: $0.name, messages: messages) })
    }

    private func cost(of part: String, messages: Int) -> PartSummary {
        let costs = self.rounds.flatMap(\.costs).filter { $0.part == part }
        let time = costs.reduce(0) { $0 + $1.processorTime.seconds * 1000 }
        let memory = costs.map(\.memory).max() ?? 0
        return PartSummary(
            part: part, processorMillisecondsPerMessage: (time / Double(messages)).rounded(to: 2),
            memoryMebibytes: (Double(memory) / 1_048_576).rounded(to: 1))
    }

    private static func quantile(_ quantile: Double, of sorted: [Double]) -> Double {
        guard !sorted.isEmpty else { return 0 }
        let rank = Int((Double(sorted.count) * quantile).rounded(.up)) - 1
        return sorted[min(max(rank, 0), sorted.count - 1)].rounded(to: 1)
    }
}

/// What is printed of a system.
struct SystemSummary: Encodable, Sendable {
    let system: String
    let durability: String
    let security: String
    let rounds: Int
    let acknowledgedPerSecond: Spread
    let deliveredPerSecond: Spread
    let latencyP50Milliseconds: Double
    let latencyP99Milliseconds: Double
    let lost: Int
    let duplicates: Int
    let cost: [PartSummary]

    var processorMillisecondsPerMessage: Double {
        self.cost.reduce(0) { $0 + $1.processorMillisecondsPerMessage }.rounded(to: 2)
    }
}

/// What is printed of a part.
struct PartSummary: Encodable, Sendable {
    let part: String
    let processorMillisecondsPerMessage: Double
    /// The most that the tree held at the end of a round.
    let memoryMebibytes: Double
}
