import GRPCCore
package import MailModel
import Synchronization

/// How much may be asked for in a second, and how much may be under way at once.
package struct RequestLimit: Hashable, Sendable {
    package var perSecond: Int
    package var burst: Int
    package var atOnce: Int

    package init(perSecond: Int, burst: Int, atOnce: Int = .max) {
        self.perSecond = perSecond
        self.burst = burst
        self.atOnce = atOnce
    }
}

/// What is left of a limit at a moment.
package struct RequestAllowance: Hashable, Sendable {
    package let limit: RequestLimit
    private var tokens: Double
    private var filledAt: MonotonicInstant
    private var underWay = 0

    package init(_ limit: RequestLimit, at now: MonotonicInstant) {
        self.limit = limit
        self.tokens = Double(limit.burst)
        self.filledAt = now
    }

    /// Takes one; gives how long to wait if that cannot be.
    package mutating func take(at now: MonotonicInstant) -> Duration? {
        let elapsed = max(.zero, now - self.filledAt)
        self.filledAt = max(now, self.filledAt)
        let rate = Double(self.limit.perSecond)
        self.tokens = min(Double(self.limit.burst), self.tokens + elapsed / .seconds(1) * rate)
        guard self.underWay < self.limit.atOnce else { return .seconds(1 / rate) }
        guard self.tokens >= 1 else { return .seconds((1 - self.tokens) / rate) }
        self.tokens -= 1
        self.underWay += 1
        return nil
    }

    /// One that was taken is done.
    package mutating func giveBack() { self.underWay -= 1 }
}

/// A limit that all calls of a kind share.
package final class RequestBudget: Sendable {
    private let allowance: Mutex<RequestAllowance>
    private let clock: any NodeClock

    package init(_ limit: RequestLimit, clock: any NodeClock) {
        self.clock = clock
        self.allowance = Mutex(RequestAllowance(limit, at: clock.now))
    }

    /// Does something within the limit, or throws RESOURCE_EXHAUSTED.
    func within<Value>(_ what: String, _ body: () async throws -> Value) async throws -> Value {
        if let delay = self.allowance.withLock({ $0.take(at: self.clock.now) }) {
            throw RPCError.exhausted("too many \(what)", retryAfter: delay)
        }
        defer { self.allowance.withLock { $0.giveBack() } }
        return try await body()
    }
}
