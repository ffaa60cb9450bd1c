public import MailModel

/// How many reports the messages of clients that may not relay may cause; a pure value that is told the time.
///
/// The sender of such a message may be forged, and the reports on it go to a victim. So they are counted over an hour: those to
/// each sender domain, those that each client causes, and what comes back of one message, which must not be more than was sent.
public struct ReportBudget: Sendable {
    /// What may come in an hour; 0 is any number.
    public struct Limits: Hashable, Sendable {
        /// Reports to one sender domain.
        public var perSenderDomain: Int
        /// Reports that the messages of one client cause.
        public var perClient: Int
        /// Domains, clients and messages that are counted, of each so many at once. What comes beyond shares one count.
        public var capacity: Int

        /// The limits.
        public init(perSenderDomain: Int, perClient: Int, capacity: Int = 65_536) {
            self.perSenderDomain = perSenderDomain
            self.perClient = perClient
            self.capacity = capacity
        }
    }

    /// One report, ready to be queued.
    public struct Report: Hashable, Sendable {
        /// Where it goes.
        public var senderDomain: DomainName
        /// Who brought the message; all addresses of its network are one.
        public var client: IPAddress?
        /// The message that it is about.
        public var message: MessageID
        /// Bytes of that message.
        public var messageBytes: Int
        /// Bytes of the report.
        public var bytes: Int

        /// A report.
        public init(senderDomain: DomainName, client: IPAddress?, message: MessageID, messageBytes: Int, bytes: Int) {
            self.senderDomain = senderDomain
            self.client = client
            self.message = message
            self.messageBytes = messageBytes
            self.bytes = bytes
        }
    }

    /// The limit that a report would pass.
    public enum Refusal: String, Hashable, Sendable, CaseIterable {
        case senderDomain = "sender-domain"
        case client
        case message
    }

    /// Reports on one message that come whatever their size: one for each of a few domains, or attempts.
    public static let reportsPerMessage = 4
    /// How long what has come counts.
    public static let window = Duration.seconds(3600)

    private let limits: Limits
    private var domains: SlidingCounts<DomainName>
    private var clients: SlidingCounts<IPAddress?>
    private var messages: [SlidingCounts<MessageID>]

    /// A budget of which nothing is spent.
    public init(_ limits: Limits) {
        self.limits = limits
        self.domains = SlidingCounts(window: Self.window, capacity: limits.capacity)
        self.clients = SlidingCounts(window: Self.window, capacity: limits.capacity)
        // Reports, and their bytes.
        self.messages = (0..<2).map { _ in SlidingCounts(window: Self.window, capacity: limits.capacity) }
    }

    /// Spends one report, or says which limit forbids it, and spends nothing.
    public mutating func spend(_ report: Report, at now: MonotonicInstant) -> Refusal? {
        func isOver(_ count: Double, _ limit: Int) -> Bool { limit > 0 && count + 1 > Double(limit) }
        if isOver(self.domains.count(of: report.senderDomain, at: now), self.limits.perSenderDomain) {
            return .senderDomain
        }
        if isOver(self.clients.count(of: report.client, at: now), self.limits.perClient) { return .client }
        // A message that shares its count with others is bounded by the other two limits.
        let isAlone = self.messages[0].hasRoom(for: report.message)
        let reports = self.messages[0].count(of: report.message, at: now)
        let bytes = self.messages[1].count(of: report.message, at: now) + Double(report.bytes)
        if isAlone, reports >= Double(Self.reportsPerMessage), bytes > Double(report.messageBytes) { return .message }
        self.domains.add(1, to: report.senderDomain, at: now)
        self.clients.add(1, to: report.client, at: now)
        self.messages[0].add(1, to: report.message, at: now)
        self.messages[1].add(report.bytes, to: report.message, at: now)
        return nil
    }
}

/// Counts by key that slide over a window, out of two fixed ones.
///
/// The table is bounded. Keys for which it has no room share one count, so whoever fills it gains nothing.
struct SlidingCounts<Key: Hashable & Sendable>: Sendable {
    private let window: Duration
    private let capacity: Int
    private var begun: MonotonicInstant?
    private var current: [Key: Int] = [:]
    private var previous: [Key: Int] = [:]
    private var others = 0
    private var previousOthers = 0

    init(window: Duration, capacity: Int) {
        self.window = window
        self.capacity = capacity
    }

    /// What was counted in the window before `now`.
    mutating func count(of key: Key, at now: MonotonicInstant) -> Double {
        let share = self.turn(to: now)
        if !self.hasRoom(for: key) { return Double(self.others) + Double(self.previousOthers) * share }
        return Double(self.current[key] ?? 0) + Double(self.previous[key] ?? 0) * share
    }

    mutating func add(_ amount: Int, to key: Key, at now: MonotonicInstant) {
        _ = self.turn(to: now)
        if !self.hasRoom(for: key) {
            self.others += amount
        } else {
            self.current[key, default: 0] += amount
        }
    }

    /// Whether the key has a count of its own.
    func hasRoom(for key: Key) -> Bool { self.current[key] != nil || self.current.count < self.capacity }

    /// Turns to the window of `now`; the part of the one before that still counts.
    private mutating func turn(to now: MonotonicInstant) -> Double {
        let begun = self.begun ?? now
        let windows = max(0, Int((now - begun) / self.window))
        if windows > 0 {
            (self.previous, self.previousOthers) = windows == 1 ? (self.current, self.others) : ([:], 0)
            (self.current, self.others) = ([:], 0)
        }
        let start = begun + self.window * windows
        self.begun = start
        return min(1, max(0, 1 - (now - start) / self.window))
    }
}
