/// Why a delivery attempt failed, as far as the queue cares: enough to decide, to explain and to bounce.
public struct DeliveryFailure: Hashable, Sendable {
    /// Which lifetime applies to a message that keeps failing like this.
    public enum FailureClass: UInt8, Hashable, Sendable {
        /// DANE or DNSSEC forbade the delivery: expires after 24 h.
        case security
        /// Anything else.
        case general
    }

    /// The same words for a thousand recipients are kept once, and put together where they are told.
    private enum Words: Hashable {
        case whole(String)
        case detail(String)
    }

    /// Which lifetime applies.
    public let failureClass: FailureClass
    /// The enhanced code, such as 4.7.323. Its class says whether the failure is for good.
    public private(set) var status: EnhancedStatusCode
    /// The reason, under the one name that it has everywhere.
    public let reason: FailureReason
    /// What happened, for people: the reason, with the peer's reply or our own words.
    public var text: String {
        switch self.words {
        case .whole(let text): text
        case .detail(let detail): detail.isEmpty ? self.reason.text : "\(self.reason.text) (\(detail))"
        }
    }
    private var words: Words
    /// The peer's reply on one line, where that is the failure.
    public let reply: String?
    /// The three digits of a reply that has to do with it; not stored.
    public private(set) var replyCode: UInt16?
    /// The MX host that it happened with, if it came that far.
    public private(set) var host: String?

    /// A failure of these particulars.
    public init(
        failureClass: FailureClass, status: EnhancedStatusCode, reason: FailureReason, text: String,
        reply: String? = nil,
        host: String? = nil
    ) {
        self.failureClass = failureClass
        self.status = status
        self.reason = reason
        self.words = .whole(text)
        self.reply = reply
        self.host = host
    }

    /// A failure for this reason. Its class follows from that, and its status too unless it is given.
    ///
    /// - Parameters:
    ///   - detail: what happened, for people; made safe where it came from a peer.
    ///   - reply: the peer's words, where they are the failure.
    public init(
        _ reason: FailureReason, _ detail: String = "", status: EnhancedStatusCode? = nil, reply: String? = nil,
        replyCode: UInt16? = nil
    ) {
        self.failureClass = reason.isSecurityFailure ? .security : .general
        self.status = status ?? (reason.isPermanent ? reason.permanentStatus : reason.transientStatus)
        self.reason = reason
        self.words = .detail(detail)
        self.reply = reply
        self.replyCode = replyCode
    }

    /// The same, with these words behind what happened.
    public func adding(_ words: String) -> DeliveryFailure {
        var failure = self
        failure.words = .whole(self.text + words)
        return failure
    }

    /// The same, told of this host.
    public func of(host: String?) -> DeliveryFailure {
        var failure = self
        failure.host = host
        return failure
    }

    /// Whether retrying is of no use.
    public var isPermanent: Bool { self.status.class == .permanentFailure }

    /// The failure where another host may yet do better: 5.6.3 becomes 4.6.3.
    public var madeTransient: DeliveryFailure { self.of(class: .persistentTransientFailure) }

    /// The failure as it is told once the message is given up: 4.7.323 becomes 5.7.323.
    public var madePermanent: DeliveryFailure { self.of(class: .permanentFailure) }

    private func of(class: EnhancedStatusCode.Class) -> DeliveryFailure {
        var failure = self
        failure.status = self.status.with(class: `class`)
        return failure
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
