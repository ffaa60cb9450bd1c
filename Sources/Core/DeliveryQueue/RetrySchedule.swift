public import MailModel

/// When a message is tried again, when its sender hears of the delay, and when it is given up.
public struct RetrySchedule: Hashable, Sendable {
    /// The wait after the first failure, after the second, and so on; the last repeats for ever.
    public let delays: [Duration]
    /// How long after its arrival a message is given up whose last failure was one of DANE or DNSSEC.
    public let securityLifetime: Duration
    /// How long after its arrival any other message is given up.
    public let lifetime: Duration
    /// How long after its arrival the sender is told of the delay, by the first attempt that fails then; `nil` is never.
    public let delayNotice: Duration?

    /// The default: after 15 min, 15 min more, then hourly; given up after 24 h or 5 d; a notice at 4 h.
    public static let standard = RetrySchedule(uncheckedDelays: [.seconds(900), .seconds(900), .seconds(3600)])

    /// A schedule; `nil` when it has no delay or one that is not positive.
    public init?(
        delays: [Duration], securityLifetime: Duration = .seconds(86_400), lifetime: Duration = .seconds(5 * 86_400),
        delayNotice: Duration? = .seconds(4 * 3600)
    ) {
        guard !delays.isEmpty, delays.allSatisfy({ $0 > .zero }) else { return nil }
        self.init(
            uncheckedDelays: delays, securityLifetime: securityLifetime, lifetime: lifetime, delayNotice: delayNotice)
    }

    private init(
        uncheckedDelays delays: [Duration], securityLifetime: Duration = .seconds(86_400),
        lifetime: Duration = .seconds(5 * 86_400), delayNotice: Duration? = .seconds(4 * 3600)
    ) {
        self.delays = delays
        self.securityLifetime = securityLifetime
        self.lifetime = lifetime
        self.delayNotice = delayNotice
    }

    /// The wait after so many failures, counted from 1.
    public func delay(afterFailures count: Int) -> Duration {
        let index = min(max(count, 1), self.delays.count) - 1
        return self.delays[index]
    }

    /// When a message that arrived at `arrival` is given up, given how it failed last.
    public func expiry(arrival: Timestamp, after failure: DeliveryFailure) -> Timestamp {
        switch failure.failureClass {
        case .security: arrival + min(self.securityLifetime, self.lifetime)
        case .general: arrival + self.lifetime
        }
    }

    /// Whether the sender is to be told now that the message is late. Once is enough.
    public func isDelayNoticeDue(arrival: Timestamp, now: Timestamp, alreadySent: Bool) -> Bool {
        guard let delayNotice = self.delayNotice else { return false }
        return !alreadySent && now >= arrival + delayNotice
    }
}
