import DequeModule
import GRPCCore
import Synchronization

/// Bytes that may wait to be sent.
struct MailboxLimits: Hashable, Sendable {
    var stream: Int
    var connection: Int
}

/// What the application's tasks ask of one connection, until its event loop comes to it.
///
/// Parts that are written wait here and in the session until they are sent. Both are bounded, for each stream and for all of them: a
/// write beyond a bound waits until there is room.
final class StreamMailbox<Part: Sendable>: Sendable {
    enum Item: Sendable {
        /// Something to do before what is asked later.
        case run(@Sendable () -> Void)
        case part(StreamKey, Part)
        case finish(StreamKey)
        /// The application is done with the stream, or gives it up.
        case leave(StreamKey)
        /// The application took a message.
        case taken(Receipt)
    }

    private struct Waiter {
        let number: UInt64
        let key: StreamKey
        let part: Part
        let bytes: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var items: [Item] = []
        var isScheduled = false
        var nextKey: StreamKey = 1
        var nextWaiter: UInt64 = 1
        /// Bytes that wait of each open stream.
        var streams: [StreamKey: Int] = [:]
        /// Why streams that are closed take nothing, until the application leaves them.
        var closed: [StreamKey: RPCError] = [:]
        var total = 0
        var waiters: Deque<Waiter> = []
    }

    private let state = Mutex(State())
    private let limits: MailboxLimits
    private let size: @Sendable (Part) -> Int
    private let schedule: @Sendable (StreamMailbox) -> Void

    /// - Parameters:
    ///   - size: the bytes that a part counts.
    ///   - schedule: called when there is something to take where there was nothing.
    init(
        _ limits: MailboxLimits, size: @escaping @Sendable (Part) -> Int,
        schedule: @escaping @Sendable (StreamMailbox) -> Void
    ) {
        self.limits = limits
        self.size = size
        self.schedule = schedule
    }

    // MARK: The application

    /// Writes a part, once there is room for it; throws when the stream takes nothing any more.
    func write(_ part: Part, to key: StreamKey) async throws {
        let bytes = self.size(part)
        let isDone = try self.post { state in
            if let error = state.closed[key] { throw error }
            return self.admit(&state, key, part, bytes)
        }
        if !isDone { try await self.wait(part, key, bytes) }
    }

    /// Posts what needs no room.
    func post(_ item: Item) {
        self.post { state in state.items.append(item) }
    }

    /// Queues a part if there is room. A stream that is not known is left already, and what is written to it goes nowhere.
    private func admit(_ state: inout State, _ key: StreamKey, _ part: Part, _ bytes: Int) -> Bool {
        guard let queued = state.streams[key] else {
            return true
        }
        guard bytes == 0 || (queued < self.limits.stream && state.total < self.limits.connection) else { return false }
        state.streams[key] = queued + bytes
        state.total += bytes
        state.items.append(.part(key, part))
        return true
    }

    private func post<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
        var mustSchedule = false
        defer { if mustSchedule { self.schedule(self) } }
        return try self.state.withLock { state in
            defer {
                mustSchedule = !state.items.isEmpty && !state.isScheduled
                if mustSchedule { state.isScheduled = true }
            }
            return try body(&state)
        }
    }

    private func wait(_ part: Part, _ key: StreamKey, _ bytes: Int) async throws {
        let number = self.state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = self.post { state -> Result<Void, any Error>? in
                    if let error = state.closed[key] { return .failure(error) }
                    if Task.isCancelled { return .failure(Self.cancelled) }
                    if self.admit(&state, key, part, bytes) { return .success(()) }
                    state.waiters.append(
                        Waiter(number: number, key: key, part: part, bytes: bytes, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(throwing: Self.cancelled)
        }
    }

    private static var cancelled: RPCError { RPCError(code: .cancelled, message: "the task was cancelled") }

    // MARK: The connection

    /// Opens a stream for writing.
    func open() -> StreamKey {
        self.state.withLock { state in
            defer { state.nextKey += 1 }
            state.streams[state.nextKey] = 0
            return state.nextKey
        }
    }

    /// Takes what was posted.
    func take() -> [Item] {
        self.state.withLock { state in
            defer { state.items = [] }
            state.isScheduled = false
            return state.items
        }
    }

    /// Bytes of a stream were sent, and make room.
    func sent(_ bytes: Int, of key: StreamKey) {
        self.release { state in
            guard let queued = state.streams[key] else { return }
            state.streams[key] = queued - bytes
            state.total -= bytes
        }
    }

    /// A stream takes nothing any more, for this reason.
    func close(_ key: StreamKey, _ error: RPCError) {
        self.release { state in
            guard let queued = state.streams.removeValue(forKey: key) else { return }
            state.total -= queued
            state.closed[key] = error
        }
    }

    /// The application has left a stream.
    func forget(_ key: StreamKey) {
        self.release { state in
            state.total -= state.streams.removeValue(forKey: key) ?? 0
            state.closed[key] = nil
        }
    }

    /// Changes what waits, and lets writes go on for which there is room then, in their order.
    private func release(_ body: (inout State) -> Void) {
        let ready = self.post { state -> [(Waiter, Result<Void, any Error>)] in
            body(&state)
            guard !state.waiters.isEmpty else { return [] }
            var ready: [(Waiter, Result<Void, any Error>)] = []
            var left: Deque<Waiter> = []
            for waiter in state.waiters {
                if let error = state.closed[waiter.key] {
                    ready.append((waiter, .failure(error)))
                } else if self.admit(&state, waiter.key, waiter.part, waiter.bytes) {
                    ready.append((waiter, .success(())))
                } else {
                    left.append(waiter)
                }
            }
            state.waiters = left
            return ready
        }
        for (waiter, result) in ready { waiter.continuation.resume(with: result) }
    }
}

/// The writer that gRPC gets for one stream.
struct StreamWriter<Part: Sendable>: ClosableRPCWriterProtocol {
    let mailbox: StreamMailbox<Part>
    let key: StreamKey

    func write(_ element: Part) async throws { try await self.mailbox.write(element, to: self.key) }

    func write(contentsOf elements: some Sequence<Part>) async throws {
        for element in elements { try await self.mailbox.write(element, to: self.key) }
    }

    func finish() async { self.mailbox.post(.finish(self.key)) }

    func finish(throwing error: any Error) async { self.mailbox.post(.leave(self.key)) }
}

extension RPCRequestPart<[UInt8]> {
    /// What the part counts while it waits to be sent.
    var bytes: Int { if case .message(let message) = self { message.count + MessageFraming.prefixBytes } else { 0 } }
}

extension RPCResponsePart<[UInt8]> {
    /// What the part counts while it waits to be sent.
    var bytes: Int { if case .message(let message) = self { message.count + MessageFraming.prefixBytes } else { 0 } }
}
