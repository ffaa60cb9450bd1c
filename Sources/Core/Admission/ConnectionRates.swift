package import MailModel

/// How many connections each client has opened lately: a count that slides over a minute, out of two fixed ones.
///
/// The table is bounded. While it is full, clients that are not in it are not counted, and so not refused.
package struct ConnectionRates {
    /// Clients counted at once.
    package static let capacity = 65_536
    package static let window = Duration.seconds(60)

    private var begun: MonotonicInstant?
    private var current: [IPAddress: Int] = [:]
    private var previous: [IPAddress: Int] = [:]

    /// No connection has been counted yet.
    package init() {}

    /// Counts a connection; whether the client has opened more than `limit` in the minute before `now`, this one included.
    package mutating func count(_ client: IPAddress, at now: MonotonicInstant, limit: Int) -> Bool {
        let share = self.turn(to: now)
        let isKnown = self.current[client] != nil || self.current.count < Self.capacity
        if isKnown { self.current[client, default: 0] += 1 }
        let earlier = Double(self.previous[client] ?? 0) * share
        return Double(self.current[client] ?? 0) + earlier > Double(limit)
    }

    /// Turns to the window of `now`; the part of the one before that is less than a minute ago.
    private mutating func turn(to now: MonotonicInstant) -> Double {
        let begun = self.begun ?? now
        let windows = Int((now - begun) / Self.window)
        if windows > 0 {
            self.previous = windows == 1 ? self.current : [:]
            self.current = [:]
        }
        let start = begun + Self.window * windows
        self.begun = start
        return 1 - (now - start) / Self.window
    }
}
