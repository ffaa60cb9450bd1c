public import MailModel

/// How many connections one address takes from one of ours at once, as far as we have found out: decisions only.
///
/// It begins with two, and each that is opened allows one more: those to an address that says nothing stay two. An
/// address that refuses one while others work takes no more (RFC 5321 §4.5.4.1, §3.8). The window becomes what is open,
/// and from then on only time widens it. One more may try after a minute; each try that is refused doubles the wait, up
/// to a quarter of an hour.
public struct ConnectionWindow: Hashable, Sendable {
    /// Whether one more may be opened.
    public enum Capacity: Hashable, Sendable {
        /// It may.
        case free
        /// Not before another one is closed, or more time has passed. While the window grows, an opening that succeeds is enough.
        case full(isGrowing: Bool)
        /// Not for so long, since the last one was refused and none is open.
        case resting(Duration)
    }

    /// The window of an address that nobody knows.
    public static let first = 2
    /// For so long a connection that was opened proves that the address works, even after it was closed.
    static let proof = Duration.seconds(10)
    /// The wait between two tries while none is open.
    static let rest = Duration.seconds(1)
    /// The waits before the window is widened by one.
    static let shortestPause = Duration.seconds(60)
    static let longestPause = Duration.seconds(900)
    /// The window grows no further; the site's limit is far below.
    private static let largest = 100_000

    private struct Narrowing: Hashable {
        var size: Int
        var since: MonotonicInstant
        var pause: Duration
    }

    /// Connections, those being opened included.
    public private(set) var connections = 0
    /// Connections that are open: greeted, and secured where that is owed.
    public private(set) var established = 0
    private var reach = Self.first
    private var narrowing: Narrowing?
    private var lastEstablished: MonotonicInstant?
    private var restsUntil: MonotonicInstant?

    /// Nothing is open, nothing known.
    public init() {}

    /// How many connections there may be.
    public func size(at now: MonotonicInstant) -> Int {
        guard let narrowing else { return self.reach }
        let steps = max(0, min((now - narrowing.since) / narrowing.pause, Double(Self.largest)))
        return narrowing.size + Int(steps)
    }

    /// Whether one more may be opened.
    public func capacity(at now: MonotonicInstant) -> Capacity {
        if let restsUntil, self.established == 0, now < restsUntil { return .resting(restsUntil - now) }
        return self.connections < self.size(at: now) ? .free : .full(isGrowing: self.narrowing == nil)
    }

    /// Whether a connection is open, or was opened lately.
    public func works(at now: MonotonicInstant) -> Bool {
        self.established > 0 || self.lastEstablished.map { now < $0 + Self.proof } ?? false
    }

    /// Whether a connection is open, or was opened since then.
    func hasWorked(since instant: MonotonicInstant) -> Bool {
        self.established > 0 || self.lastEstablished.map { $0 >= instant } ?? false
    }

    // MARK: Events

    /// One is being opened.
    public mutating func began() { self.connections += 1 }

    /// It is open.
    public mutating func succeeded(at now: MonotonicInstant) {
        self.established += 1
        self.lastEstablished = now
        self.restsUntil = nil
        if let narrowing {
            // More connections fit than before.
            guard self.established > narrowing.size else { return }
            self.narrowing = Narrowing(size: self.established, since: now, pause: Self.shortestPause)
        } else {
            self.reach = min(max(self.reach, self.established) + 1, Self.largest)
        }
    }

    /// The host refused it, broke it off, or left it waiting, before it could carry mail.
    ///
    /// - Returns: whether others work, so that only the window was too wide. Else the address has failed, and begins anew.
    public mutating func refused(at now: MonotonicInstant) -> Bool {
        guard self.works(at: now) else {
            (self.reach, self.narrowing, self.restsUntil) = (Self.first, nil, nil)
            return false
        }
        let wasWidened = self.narrowing.map { $0.since + $0.pause <= now } ?? false
        // Those that were tried together are refused together, and count once.
        let pause = self.narrowing.map { wasWidened ? min($0.pause * 2, Self.longestPause) : $0.pause }
        self.narrowing = Narrowing(size: max(1, self.established), since: now, pause: pause ?? Self.shortestPause)
        if self.established == 0 { self.restsUntil = now + Self.rest }
        return true
    }

    /// It is closed.
    public mutating func ended(wasEstablished: Bool) {
        self.connections -= 1
        if wasEstablished { self.established -= 1 }
    }
}
