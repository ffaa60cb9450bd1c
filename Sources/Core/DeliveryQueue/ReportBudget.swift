public import MailModel

/// How many reports the messages of clients that may not relay may cause; a pure value that is told the time.
///
/// The sender of such a message may be forged, and the reports on it go to a victim. So they are counted over an hour: those to
/// each sender domain, those that each client causes, and the bytes of those on one message.
///
/// The recipients of a message at several domains are tried apart, and each such attempt makes a report. The first always comes.
/// The others together have no more bytes than the message.
public struct ReportBudget: Sendable {
    /// What may come in an hour; 0 is any number.
    public struct Limits: Hashable, Sendable {
        /// Reports to one sender domain. The messages of one client cause a tenth of them at most.
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

        /// Reports to one sender domain that the messages of one client cause.
        var perClientAndSenderDomain: Int { self.perSenderDomain > 0 ? max(1, self.perSenderDomain / 10) : 0 }
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
        case clientAndSenderDomain = "client-and-sender-domain"
        case message
    }

    private struct Pair: Hashable {
        let client: IPAddress?
        let senderDomain: DomainName
    }

    /// How long what has come counts.
    public static let window = Duration.seconds(3600)

    private let limits: Limits
    private var domains: SlidingCounts<DomainName>
    private var clients: SlidingCounts<IPAddress?>
    private var pairs: SlidingCounts<Pair>
    /// Reports on each message, and the bytes of all but the first.
    private var messages: SlidingCounts<MessageID>
    private var furtherBytes: SlidingCounts<MessageID>

    /// A budget of which nothing is spent.
    public init(_ limits: Limits) {
        self.limits = limits
        self.domains = SlidingCounts(window: Self.window, capacity: limits.capacity)
        self.clients = SlidingCounts(window: Self.window, capacity: limits.capacity)
        self.pairs = SlidingCounts(window: Self.window, capacity: limits.capacity)
        self.messages = SlidingCounts(window: Self.window, capacity: limits.capacity)
        self.furtherBytes = SlidingCounts(window: Self.window, capacity: limits.capacity)
    }

    /// Bytes that the next report on a message of so many bytes may have; `nil` for any number.
    public mutating func capacity(for message: MessageID, of bytes: Int, at now: MonotonicInstant) -> Int? {
        // A message that shares its count with others is bounded by the other limits.
        guard self.messages.hasCapacity(for: message), self.messages.count(of: message, at: now) > 0 else { return nil }
        return max(0, bytes - Int(self.furtherBytes.count(of: message, at: now).rounded(.up)))
    }

    /// Spends one report, or says which limit forbids it, and spends nothing.
    public mutating func spend(_ report: Report, at now: MonotonicInstant) -> Refusal? {
        func isOver(_ count: Double, _ limit: Int) -> Bool { limit > 0 && count + 1 > Double(limit) }
        if isOver(self.domains.count(of: report.senderDomain, at: now), self.limits.perSenderDomain) {
            return .senderDomain
        }
        if isOver(self.clients.count(of: report.client, at: now), self.limits.perClient) { return .client }
        let pair = Pair(client: report.client, senderDomain: report.senderDomain)
        if isOver(self.pairs.count(of: pair, at: now), self.limits.perClientAndSenderDomain) {
            return .clientAndSenderDomain
        }
        if let capacity = self.capacity(for: report.message, of: report.messageBytes, at: now) {
            guard report.bytes <= capacity else { return .message }
            self.furtherBytes.add(report.bytes, to: report.message, at: now)
        }
        self.domains.add(1, to: report.senderDomain, at: now)
        self.clients.add(1, to: report.client, at: now)
        self.pairs.add(1, to: pair, at: now)
        self.messages.add(1, to: report.message, at: now)
        return nil
    }
}

/// Counts by key that slide over a window, out of two fixed ones.
///
/// The table is bounded. Keys beyond its capacity share one count, so whoever fills it gains nothing.
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
        if !self.hasCapacity(for: key) { return Double(self.others) + Double(self.previousOthers) * share }
        return Double(self.current[key] ?? 0) + Double(self.previous[key] ?? 0) * share
    }

    mutating func add(_ amount: Int, to key: Key, at now: MonotonicInstant) {
        _ = self.turn(to: now)
        if !self.hasCapacity(for: key) {
            self.others += amount
        } else {
            self.current[key, default: 0] += amount
        }
    }

    /// Whether the key has a count of its own.
    func hasCapacity(for key: Key) -> Bool { self.current[key] != nil || self.current.count < self.capacity }

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
