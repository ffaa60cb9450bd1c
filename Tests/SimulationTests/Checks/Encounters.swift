/// How often worlds came to what the promises are about.
struct Encounters: CustomStringConvertible {
    enum Kind: String, CaseIterable {
        case copies
        case explainedDuplicates = "duplicates, explained"
        case takeovers
        case interruptions = "interrupted attempts read"
        case lateDeliveries = "late deliveries"
        case lateRefusals = "outcomes too late"
        case refusals = "recipients refused"
        case expiries = "recipients expired"
        case delayNotices = "notices of delay"
        case deferrals = "long waits"
        case blocks = "destinations in backoff"
        case testDeliveries = "test deliveries"
        case earlyTests = "test deliveries before their time"
        case shortLeases = "final dots not written for the lease"
    }

    private var counts: [Kind: Int] = [:]

    mutating func count(_ kind: Kind) { self.counts[kind, default: 0] += 1 }

    /// What no world came to.
    var missing: [Kind] { Kind.allCases.filter { self.counts[$0] == nil } }

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.counts.merge(right.counts, uniquingKeysWith: +)
        return sum
    }

    var description: String {
        Kind.allCases.map { "\(self.counts[$0] ?? 0) \($0.rawValue)" }.joined(separator: ", ")
    }
}
