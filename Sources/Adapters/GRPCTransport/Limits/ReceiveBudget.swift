/// How much of what came a connection holds for its application, and when the peer may send more (control 29).
///
/// The connection's window is opened as bytes come, but for whole messages that wait for the application beyond a limit. So one
/// stream that nobody reads does not stop the others, and all of them together stay bounded. A stream's window is opened as the
/// application takes its messages. A message that would fill a large part of that window could never complete; it is let through when
/// a reservation of its length is granted.
struct ReceiveBudget: Sendable {
    /// Bytes of whole messages that may wait for the application before the connection's window closes.
    let unreadLimit: Int
    /// Bytes that may be reserved for large messages at a time.
    let reservedLimit: Int
    private(set) var unread = 0
    private(set) var reserved = 0
    /// Bytes that were not consumed for the connection yet.
    private var withheld = 0
    private var waiting: [(stream: UInt64, bytes: Int)] = []

    init(unreadLimit: Int, reservedLimit: Int) {
        self.unreadLimit = unreadLimit
        self.reservedLimit = reservedLimit
    }

    /// Bytes came; gives how many to consume for the connection now.
    mutating func received(_ bytes: Int) -> Int {
        self.withheld += bytes
        return self.release()
    }

    /// A message is whole and waits for the application.
    mutating func completed(_ bytes: Int) { self.unread += bytes }

    /// The application took a message, or nobody will; gives how many bytes to consume for the connection now.
    mutating func taken(_ bytes: Int) -> Int {
        self.unread -= bytes
        return self.release()
    }

    private mutating func release() -> Int {
        guard self.unread < self.unreadLimit else { return 0 }
        defer { self.withheld = 0 }
        return self.withheld
    }

    // MARK: Large messages

    /// Asks for a reservation; a stream that gets none waits its turn. The largest message is always granted alone.
    mutating func reserve(_ bytes: Int, for stream: UInt64) -> Bool {
        guard self.waiting.isEmpty, self.reserved == 0 || self.reserved + bytes <= self.reservedLimit else {
            self.waiting.append((stream, bytes))
            return false
        }
        self.reserved += bytes
        return true
    }

    /// Gives a reservation back, and the streams that get theirs by it.
    mutating func free(_ bytes: Int) -> [UInt64] {
        self.reserved -= bytes
        return self.grant()
    }

    /// A stream does not wait any more; gives the streams that get their reservation by that.
    mutating func forget(_ stream: UInt64) -> [UInt64] {
        self.waiting.removeAll { $0.stream == stream }
        return self.grant()
    }

    private mutating func grant() -> [UInt64] {
        var granted: [UInt64] = []
        while let next = self.waiting.first, self.reserved == 0 || self.reserved + next.bytes <= self.reservedLimit {
            self.waiting.removeFirst()
            self.reserved += next.bytes
            granted.append(next.stream)
        }
        return granted
    }
}
