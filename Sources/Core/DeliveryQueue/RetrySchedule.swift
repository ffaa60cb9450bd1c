public import MailModel

/// When a message is tried again, when its sender hears of the delay, and when it is given up.
public struct RetrySchedule: Hashable, Sendable {
    /// The wait after the first failure, after the second, and so on; the last repeats for ever.
    public let delays: [Duration]
    /// The same where the last failure was one of DANE or DNSSEC.
    public let securityDelays: [Duration]
    /// How long after its arrival a message is given up whose last failure was one of DANE or DNSSEC.
    public let securityLifetime: Duration
    /// How long after its arrival any other message is given up.
    public let lifetime: Duration
    /// How long after its arrival the sender is told of the delay, by the first failure from then on; `nil` is never.
    public let delayNotice: Duration?

    /// The default: after 15 min, 15 min more, then hourly; given up after 24 h or 5 d; a notice at 4 h.
    public static let standard = RetrySchedule(
        unchecked: [.seconds(900), .seconds(900), .seconds(3600)], security: nil, securityLifetime: day,
        lifetime: day * 5, delayNotice: .seconds(4 * 3600))

    private static let day = Duration.seconds(86_400)

    /// A schedule; `nil` when it has no delay or one that is not positive.
    ///
    /// - Parameter securityDelays: `nil` for the same as `delays`.
    public init?(
        delays: [Duration], securityDelays: [Duration]? = nil, securityLifetime: Duration = .seconds(86_400),
        lifetime: Duration = .seconds(5 * 86_400), delayNotice: Duration? = .seconds(4 * 3600)
    ) {
        for delays in [delays, securityDelays ?? delays] {
            guard !delays.isEmpty, delays.allSatisfy({ $0 > .zero }) else { return nil }
        }
        self.init(
            unchecked: delays, security: securityDelays, securityLifetime: securityLifetime, lifetime: lifetime,
            delayNotice: delayNotice)
    }

    private init(
        unchecked delays: [Duration], security: [Duration]?, securityLifetime: Duration, lifetime: Duration,
        delayNotice: Duration?
    ) {
        self.delays = delays
        self.securityDelays = security ?? delays
        self.securityLifetime = securityLifetime
        self.lifetime = lifetime
        self.delayNotice = delayNotice
    }

    /// The same with these waits before the others, except after a failure of DANE or DNSSEC.
    public func preceded(by first: [Duration]) -> RetrySchedule {
        RetrySchedule(
            unchecked: first.filter { $0 > .zero } + self.delays, security: self.securityDelays,
            securityLifetime: self.securityLifetime, lifetime: self.lifetime, delayNotice: self.delayNotice)
    }

    /// The wait after so many failures, counted from 1, the last of which was of this class.
    public func delay(afterFailures count: Int, of failureClass: DeliveryFailure.FailureClass) -> Duration {
        let delays = failureClass == .security ? self.securityDelays : self.delays
        return delays[min(max(count, 1), delays.count) - 1]
    }

    /// How long after its arrival a message is given up whose last failure was of this class.
    public func lifetime(of failureClass: DeliveryFailure.FailureClass) -> Duration {
        switch failureClass {
        case .security: min(self.securityLifetime, self.lifetime)
        case .general: self.lifetime
        }
    }

    /// When a message that arrived at `arrival` is given up, given how it failed last.
    public func expiry(arrival: Timestamp, after failure: DeliveryFailure) -> Timestamp {
        arrival + self.lifetime(of: failure.failureClass)
    }

    /// Whether the sender is to be told now that the message is late. Once is enough.
    public func isDelayNoticeDue(arrival: Timestamp, now: Timestamp, alreadySent: Bool) -> Bool {
        guard let delayNotice = self.delayNotice else { return false }
        return !alreadySent && now >= arrival + delayNotice
    }
}
