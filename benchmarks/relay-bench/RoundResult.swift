import Foundation

/// What one round of one system came to.
struct RoundResult: Sendable {
    /// From the first connection until the last message was acknowledged.
    let acknowledged: Duration
    /// From the first connection until the last message had arrived.
    let delivered: Duration
    /// From MAIL to the reply behind the dot.
    let latencies: [Duration]
    /// Acknowledged, and never arrived.
    let lost: Int
    /// Arrivals beyond the first.
    let duplicates: Int
    let costs: [PartCost]

    /// A line of progress.
    var line: String {
        "acknowledged in \(self.acknowledged.seconds.rounded(to: 3)) s, delivered in "
            + "\(self.delivered.seconds.rounded(to: 3)) s"
    }
}

/// What one part of a system used in one round.
struct PartCost: Sendable {
    let part: String
    let processorTime: Duration
    /// Bytes at the end of the round.
    let memory: Int
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

extension Double {
    func rounded(to digits: Int) -> Double {
        let factor = pow(10, Double(digits))
        return (self * factor).rounded() / factor
    }
}
