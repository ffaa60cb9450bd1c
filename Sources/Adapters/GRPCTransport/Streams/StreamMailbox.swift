import GRPCCore
import Synchronization

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

    private struct Waiter: Sendable {
        let number: UInt64
        let part: Part
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var items: [Item] = []
        var isScheduled = false
        var nextKey: StreamKey = 1
        var nextWaiter: UInt64 = 1
        var room: SendingRoom<Waiter>
        /// Why streams that are closed take nothing, until the application leaves them.
        var closed: [StreamKey: RPCError] = [:]
    }

    private let state: Mutex<State>
    private let size: @Sendable (Part) -> Int
    private let schedule: @Sendable (StreamMailbox) -> Void

    /// - Parameters:
    ///   - size: the bytes that a part counts.
    ///   - schedule: called when there is something to take where there was nothing.
    init(
        _ limits: MailboxLimits, size: @escaping @Sendable (Part) -> Int,
        schedule: @escaping @Sendable (StreamMailbox) -> Void
    ) {
        self.state = Mutex(State(room: SendingRoom(limits)))
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
        switch state.room.take(bytes, for: key) {
        case .taken: state.items.append(.part(key, part))
        case .full: return false
        case .notOpen: ()
        }
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
                    state.room.wait(
                        Waiter(number: number, part: part, continuation: continuation), bytes, for: key)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in state.room.leave(key) { $0.number == number } }
            waiter?.continuation.resume(throwing: Self.cancelled)
        }
    }

    private static var cancelled: RPCError { RPCError(code: .cancelled, message: "the task was cancelled") }

    // MARK: The connection

    /// Opens a stream for writing.
    func open() -> StreamKey {
        self.state.withLock { state in
            defer { state.nextKey += 1 }
            state.room.open(state.nextKey)
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
            state.room.free(bytes, of: key)
            return []
        }
    }

    /// A stream takes nothing any more, for this reason.
    func close(_ key: StreamKey, _ error: RPCError) {
        self.release { state in
            guard let waiters = state.room.close(key) else { return [] }
            state.closed[key] = error
            return waiters.map { ($0, .failure(error)) }
        }
    }

    /// The application has left a stream. What it still writes goes nowhere.
    func forget(_ key: StreamKey) {
        self.release { state in
            state.closed[key] = nil
            return (state.room.close(key) ?? []).map { ($0, .success(())) }
        }
    }

    /// Changes what waits, and lets writes go on for which there is room then.
    private func release(_ body: (inout State) -> [(Waiter, Result<Void, any Error>)]) {
        let done = self.post { state -> [(Waiter, Result<Void, any Error>)] in
            var done = body(&state)
            while let (key, waiter) = state.room.next() {
                state.items.append(.part(key, waiter.part))
                done.append((waiter, .success(())))
            }
            return done
        }
        for (waiter, result) in done { waiter.continuation.resume(with: result) }
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
