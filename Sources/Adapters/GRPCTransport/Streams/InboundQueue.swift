import DequeModule
import GRPCCore
import Synchronization

/// What came on one stream, until the application takes it. Flow control bounds it: what waits here was not consumed.
final class InboundQueue<Part: Sendable>: Sendable {
    private struct State {
        var parts: Deque<(part: Part, receipt: Receipt?)> = []
        var end: Result<Void, any Error>?
        var waiter: CheckedContinuation<Part?, any Error>?
        /// Nobody takes anything any more.
        var isDiscarded = false
        var isUnprocessed = false
    }

    private enum Next {
        case now(Result<Part?, any Error>, Receipt?)
        case wait
    }

    private let state = Mutex(State())
    private let taken: @Sendable (Receipt) -> Void

    /// - Parameter taken: gets the receipt of each message that the application takes, or that nobody will.
    init(taken: @escaping @Sendable (Receipt) -> Void) { self.taken = taken }

    // MARK: The connection

    func deliver(_ part: Part, _ receipt: Receipt? = nil) {
        let (waiter, isTaken) = self.state.withLock { state -> (CheckedContinuation<Part?, any Error>?, Bool) in
            if state.isDiscarded { return (nil, true) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, true)
            }
            if state.end == nil { state.parts.append((part, receipt)) }
            return (nil, state.end != nil)
        }
        waiter?.resume(returning: part)
        if isTaken, let receipt { self.taken(receipt) }
    }

    /// Nothing more comes. Only the first end counts.
    func finish(throwing error: (any Error)? = nil) {
        let waiter = self.state.withLock { state -> CheckedContinuation<Part?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = error.map { .failure($0) } ?? .success(())
            defer { state.waiter = nil }
            return state.waiter
        }
        if let error { waiter?.resume(throwing: error) } else { waiter?.resume(returning: nil) }
    }

    /// The peer surely did nothing of the call, whose end follows.
    func markUnprocessed() { self.state.withLock { $0.isUnprocessed = true } }

    // MARK: The application

    /// Whether the peer surely did nothing of the call.
    var isUnprocessed: Bool { self.state.withLock { $0.isUnprocessed } }

    /// The next part; `nil` behind the last.
    func next() async throws -> Part? {
        switch self.state.withLock({ Self.take(&$0) }) {
        case .now(let result, let receipt):
            if let receipt { self.taken(receipt) }
            return try result.get()
        case .wait: return try await self.wait()
        }
    }

    /// Drops what waits: the application is done with the stream.
    func discard() {
        let receipts = self.state.withLock { state -> [Receipt] in
            state.isDiscarded = true
            defer { state.parts.removeAll() }
            return state.parts.compactMap(\.receipt)
        }
        for receipt in receipts { self.taken(receipt) }
    }

    private static func take(_ state: inout State) -> Next {
        if let (part, receipt) = state.parts.popFirst() { return .now(.success(part), receipt) }
        if let end = state.end { return .now(end.map { nil }, nil) }
        if state.waiter != nil {
            return .now(.failure(RPCError(code: .internalError, message: "a stream is read twice at a time")), nil)
        }
        return .wait
    }

    private func wait() async throws -> Part? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // Something may have come meanwhile.
                let next = self.state.withLock { state -> Next in
                    if Task.isCancelled, state.parts.isEmpty, state.end == nil {
                        return .now(.failure(Self.cancelled), nil)
                    }
                    let next = Self.take(&state)
                    if case .wait = next { state.waiter = continuation }
                    return next
                }
                guard case .now(let result, let receipt) = next else { return }
                if let receipt { self.taken(receipt) }
                continuation.resume(with: result)
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: Self.cancelled)
        }
    }

    private static var cancelled: RPCError { RPCError(code: .cancelled, message: "the task was cancelled") }
}

extension InboundQueue: AsyncSequence {
    struct AsyncIterator: AsyncIteratorProtocol {
        let queue: InboundQueue

        mutating func next() async throws -> Part? { try await self.queue.next() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> Part? {
            try await self.queue.next()
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self) }
}
