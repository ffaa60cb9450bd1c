import DequeModule

/// Bytes that may wait to be sent.
struct MailboxLimits: Hashable, Sendable {
    var stream: Int
    var connection: Int
}

/// The room for what waits to be sent on one connection, and the writes that wait for room.
///
/// It is bounded for each stream and for all of them; a write that begins within a bound may go beyond it. Writes of one
/// stream wait in their order. Streams that have room of their own, and wait for that of the connection, stand in line,
/// and get it for one write at a time. So what one stream sends costs the same however many others wait.
struct SendingRoom<Waiter: Sendable>: Sendable {
    enum Admission: Hashable, Sendable {
        case taken
        /// There is no room now.
        case full
        /// The stream needs no room, because nothing is sent on it.
        case notOpen
    }

    private struct Stream: Sendable {
        var queued = 0
        var waiting: Deque<(waiter: Waiter, bytes: Int)> = []
    }

    private let limits: MailboxLimits
    private var streams: [StreamKey: Stream] = [:]
    /// Bytes that wait to be sent, of all streams.
    private(set) var total = 0
    /// Each stream once that has room of its own, and writes that wait.
    private var line: Deque<StreamKey> = []

    init(_ limits: MailboxLimits) { self.limits = limits }

    /// A stream may be written to.
    mutating func open(_ key: StreamKey) { self.streams[key] = Stream() }

    /// Takes room for a write. What has no bytes needs none.
    mutating func take(_ bytes: Int, for key: StreamKey) -> Admission {
        guard let stream = self.streams[key] else { return .notOpen }
        guard bytes > 0 else { return .taken }
        guard self.hasRoom(stream), self.total < self.limits.connection else { return .full }
        self.add(bytes, to: key)
        return .taken
    }

    /// A write for which there is no room waits. `next` gives it when there is.
    mutating func wait(_ waiter: Waiter, _ bytes: Int, for key: StreamKey) {
        let isFirst = self.streams[key]?.waiting.isEmpty == true
        self.streams[key]?.waiting.append((waiter, bytes))
        if isFirst { self.lineUp(key) }
    }

    /// A write does not wait any more. Gives it, if it was still waiting.
    mutating func leave(_ key: StreamKey, where isLeaving: (Waiter) -> Bool) -> Waiter? {
        guard let index = self.streams[key]?.waiting.firstIndex(where: { isLeaving($0.waiter) }) else { return nil }
        let left = self.streams[key]?.waiting.remove(at: index)
        if self.streams[key]?.waiting.isEmpty == true { self.line.removeAll { $0 == key } }
        return left?.waiter
    }

    /// Bytes of a stream were sent.
    mutating func free(_ bytes: Int, of key: StreamKey) {
        guard let before = self.streams[key] else { return }
        self.add(-bytes, to: key)
        if !self.hasRoom(before) { self.lineUp(key) }
    }

    /// A stream takes nothing any more. Gives its writes that wait; `nil` if it was not open.
    mutating func close(_ key: StreamKey) -> [Waiter]? {
        guard let stream = self.streams.removeValue(forKey: key) else { return nil }
        self.total -= stream.queued
        if !stream.waiting.isEmpty { self.line.removeAll { $0 == key } }
        return stream.waiting.map(\.waiter)
    }

    /// The next write for which there is room now, which it takes.
    mutating func next() -> (StreamKey, Waiter)? {
        guard self.total < self.limits.connection, let key = self.line.popFirst(),
            let first = self.streams[key]?.waiting.popFirst()
        else { return nil }
        self.add(first.bytes, to: key)
        self.lineUp(key)
        return (key, first.waiter)
    }

    private func hasRoom(_ stream: Stream) -> Bool { stream.queued < self.limits.stream }

    private mutating func add(_ bytes: Int, to key: StreamKey) {
        self.streams[key]?.queued += bytes
        self.total += bytes
    }

    /// Puts a stream that does not stand in line at its end, if it belongs there.
    private mutating func lineUp(_ key: StreamKey) {
        guard let stream = self.streams[key], self.hasRoom(stream), !stream.waiting.isEmpty else { return }
        self.line.append(key)
    }
}
