/// Why a delivery attempt failed, as far as the queue cares: enough to decide, to explain and to bounce.
public struct DeliveryFailure: Hashable, Sendable {
    /// Which lifetime applies to a message that keeps failing like this.
    public enum FailureClass: UInt8, Hashable, Sendable {
        /// DANE or DNSSEC forbade the delivery: expires after 24 h.
        case security
        /// Anything else.
        case general
    }

    /// Which lifetime applies.
    public let failureClass: FailureClass
    /// The enhanced code, such as 4.7.323. Its class says whether the failure is for good.
    public let status: EnhancedStatusCode
    /// The reason, under the one name that it has everywhere.
    public let reason: FailureReason
    /// What happened, for people: the peer's reply or our own words.
    public let text: String
    /// The peer's reply on one line, where that is the failure.
    public let reply: String?
    /// The MX host that it happened with, if it came that far.
    public let host: String?

    /// A failure of these particulars.
    public init(
        failureClass: FailureClass, status: EnhancedStatusCode, reason: FailureReason, text: String,
        reply: String? = nil,
        host: String? = nil
    ) {
        self.failureClass = failureClass
        self.status = status
        self.reason = reason
        self.text = text
        self.reply = reply
        self.host = host
    }

    /// Whether retrying is of no use.
    public var isPermanent: Bool { self.status.class == .permanentFailure }

    /// The failure where another host may yet do better: 5.6.3 becomes 4.6.3.
    public var madeTransient: DeliveryFailure {
        DeliveryFailure(
            failureClass: self.failureClass, status: self.status.with(class: .persistentTransientFailure),
            reason: self.reason, text: self.text, reply: self.reply, host: self.host)
    }

    /// The failure as it is told once the message is given up: 4.7.323 becomes 5.7.323.
    public var madePermanent: DeliveryFailure {
        DeliveryFailure(
            failureClass: self.failureClass, status: self.status.with(class: .permanentFailure), reason: self.reason,
            text: self.text, reply: self.reply, host: self.host)
    }
}

extension DeliveryFailure {
    /// Of why several recipients of an entry wait, the failure that explains it best; `nil` only of none.
    ///
    /// A security failure comes first, then whatever a host answered, then the rest, such as hosts out of reach. Among equals
    /// the first counts.
    public static func mostTelling(_ failures: some Sequence<DeliveryFailure>) -> DeliveryFailure? {
        // `max` gives the last of equals and `min` the first.
        failures.min { $0.rank < $1.rank }
    }

    private var rank: Int {
        if self.failureClass == .security { return 0 }
        return self.host == nil ? 2 : 1
    }
}
