public import MailModel

/// The domains in backoff, as the owner of one shard remembers them. So new mail for them costs no look into the
/// database. Now and then new mail is a reason to try one before its time: the host may be back.
///
/// It also remembers where mail without a sender found no part of its share: all that is due there would be read again in vain.
public struct BlockedDomains: Hashable, Sendable {
    /// What is to be done about new mail.
    public enum Arrival: Hashable, Sendable {
        /// Look into the database: nothing is known.
        case look
        /// Make one test delivery before the domain's time.
        case test
        /// Leave it: the poll tells when the wait is over.
        case wait
    }

    private struct Blocked: Hashable {
        /// `nil` where it is not known any more.
        var until: Timestamp?
        var lastTest: Timestamp
    }

    /// The most domains that are remembered. The database knows them all.
    public static let limit = 4096
    /// So long after a domain was tried new mail is a reason to try it again.
    public static let testInterval = Duration.seconds(300)

    /// So long closed sessions of earlier runs count.
    public static let closingMemory = Duration.seconds(3600)

    /// So long the walk passes a domain over whose mail without a sender found no part of its share.
    public static let sharePause = Duration.seconds(15)

    private struct Closed: Hashable {
        let closings: SessionClosings
        let at: Timestamp
    }

    private let testInterval: Duration
    private var domains: [DomainName: Blocked] = [:]
    /// Domains whose hosts closed sessions upon a message, without an answer since.
    private var closed: [DomainName: Closed] = [:]
    /// When mail without a sender last found no part of its share.
    private var shareTaken: [DomainName: MonotonicInstant] = [:]

    /// None.
    public init(testInterval: Duration = Self.testInterval) { self.testInterval = testInterval }

    /// New mail has come for a domain.
    public mutating func arrived(_ domain: DomainName, at now: Timestamp) -> Arrival {
        guard let blocked = self.domains[domain], let until = blocked.until, now < until else { return .look }
        guard now >= blocked.lastTest + self.testInterval else { return .wait }
        self.domains[domain]?.lastTest = now
        return .test
    }

    /// A domain's time may have come: what was known of it counts no more.
    public mutating func due(_ domain: DomainName) { self.domains[domain]?.until = nil }

    /// Whether the walk is to look at a domain. Mail that comes or becomes due is a reason to look in any case.
    public func isWalked(_ domain: DomainName, at now: MonotonicInstant) -> Bool {
        self.shareTaken[domain].map { now >= $0 + Self.sharePause } ?? true
    }

    /// The deliveries to a domain have read all that is due, and its mail without a sender found no part of its share, or did.
    public mutating func looked(_ domain: DomainName, isShareTaken: Bool, at now: MonotonicInstant) {
        guard isShareTaken else {
            self.shareTaken[domain] = nil
            return
        }
        if self.shareTaken[domain] == nil, self.shareTaken.count >= Self.limit { self.shareTaken.removeAll() }
        self.shareTaken[domain] = now
    }

    /// Sessions closed upon a message that the deliveries to a domain met so far, since the last answer.
    public func closings(of domain: DomainName, at now: Timestamp) -> SessionClosings {
        guard let closed = self.closed[domain], now < closed.at + Self.closingMemory else { return SessionClosings() }
        return closed.closings
    }

    /// The deliveries to a domain have ended, and met so many closed sessions since the last answer.
    public mutating func ended(_ domain: DomainName, closings: SessionClosings, at now: Timestamp) {
        guard !closings.isEmpty else {
            self.closed[domain] = nil
            return
        }
        if self.closed[domain] == nil, self.closed.count >= Self.limit { self.closed.removeAll() }
        // What a run adds makes all of it news.
        let before = self.closed[domain]
        self.closed[domain] = before?.closings == closings ? before : Closed(closings: closings, at: now)
    }

    /// The deliveries to a domain have ended.
    ///
    /// - Parameters:
    ///   - until: the end of its backoff; `nil` where it has none.
    ///   - wasTried: whether there was an attempt.
    public mutating func ended(_ domain: DomainName, until: Timestamp?, wasTried: Bool, at now: Timestamp) {
        guard let until else {
            self.domains[domain] = nil
            return
        }
        let lastTest = wasTried ? now : self.domains[domain]?.lastTest ?? now
        if self.domains[domain] == nil, self.domains.count >= Self.limit { self.domains.removeAll() }
        self.domains[domain] = Blocked(until: until, lastTest: lastTest)
    }
}
