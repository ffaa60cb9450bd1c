/// How long each of several runs of one thing took.
struct Timings: Sendable {
    private var values: [Duration] = []

    mutating func measure<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        let start = ContinuousClock.now
        defer { self.values.append(ContinuousClock.now - start) }
        return try await body()
    }

    mutating func add(_ value: Duration) { self.values.append(value) }

    /// Milliseconds that so large a part (0 to 1) did not exceed.
    func quantile(_ part: Double) -> Double {
        guard !self.values.isEmpty else { return 0 }
        let rank = min(max(Int((Double(self.values.count) * part).rounded(.up)) - 1, 0), self.values.count - 1)
        return (self.values.sorted()[rank].seconds * 1000).rounded(to: 2)
    }

    /// Median, 99th percentile and most.
    var text: String { "\(self.quantile(0.5)) / \(self.quantile(0.99)) / \(self.quantile(1))" }
}
