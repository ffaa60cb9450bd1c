package import NIOCore

/// The waits between attempts to connect: exponential, with jitter (control 8).
package struct ReconnectBackoff: Hashable, Sendable {
    package var first = TimeAmount.seconds(1)
    package var multiplier = 1.6
    package var most = TimeAmount.seconds(120)
    /// The part of a wait by which it is made shorter or longer.
    package var jitter = 0.2
    private var failures = 0

    package init() {}

    /// The wait after one more failure.
    ///
    /// - Parameter random: a value from 0 to 1, which places the wait within its jitter.
    package mutating func failed(random: Double) -> TimeAmount {
        var wait = Double(self.first.nanoseconds)
        for _ in 0..<self.failures where wait < Double(self.most.nanoseconds) { wait *= self.multiplier }
        wait = min(wait, Double(self.most.nanoseconds))
        // Further ones change nothing once the longest wait is reached.
        self.failures = min(self.failures + 1, 64)
        return .nanoseconds(Int64(wait * (1 + self.jitter * (2 * random - 1))))
    }

    /// A connection came about and lasted: the next failure waits as the first did.
    package mutating func succeeded() { self.failures = 0 }
}
