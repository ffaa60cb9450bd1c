import GRPCCore
import NIOCore
import Synchronization

/// One call. It begins again on another connection, once, if the server surely did nothing of it: it refused the stream, or went away
/// before it came to it (control 22).
final class ClientCall: Sendable {
    /// The call on one connection.
    final class Attempt: Sendable {
        let mailbox: StreamMailbox<RequestPart>
        let key: StreamKey
        let inbound: InboundQueue<ResponsePart>

        init(_ method: MethodDescriptor, timeout: Duration?, on connection: ClientConnection) {
            self.mailbox = connection.mailbox
            (self.key, self.inbound) = connection.open(method, timeout: timeout)
        }

        func send(_ item: CallReplay.Item) async throws {
            switch item {
            case .part(let part): try await self.mailbox.write(part, to: self.key)
            case .finish: self.mailbox.post(.finish(self.key))
            }
        }

        func leave() {
            self.inbound.discard()
            self.mailbox.post(.leave(self.key))
        }
    }

    private struct State {
        var attempt: Attempt
        var replay: CallReplay
        /// Set when the call has begun again, or cannot.
        var moving: Once<Void>?
        var deadline: NIODeadline?
        var hasLeft = false
    }

    private enum Recorded {
        case on(Attempt)
        case wait(Once<Void>)
    }

    private enum Move {
        case done(isMoved: Bool)
        case wait(Once<Void>)
        case begin(CallReplay, NIODeadline?)
    }

    private let method: MethodDescriptor
    private let connect: @Sendable () async throws -> ClientConnection
    private let state: Mutex<State>

    /// - Parameter connect: gives the connection to begin again on.
    init(
        _ method: MethodDescriptor, timeout: Duration?, on connection: ClientConnection, replayLimit: Int,
        connect: @escaping @Sendable () async throws -> ClientConnection
    ) {
        self.method = method
        self.connect = connect
        self.state = Mutex(
            State(
                attempt: Attempt(method, timeout: timeout, on: connection), replay: CallReplay(limit: replayLimit),
                deadline: timeout.map { .now() + TimeAmount(clamping: $0) }))
    }

    // MARK: The request

    /// Writes something, once there is room for it; throws when the call takes nothing any more.
    func send(_ item: CallReplay.Item) async throws {
        let attempt = await self.record(item)
        do {
            try await attempt.send(item)
        } catch {
            // What was written is kept, so that the next attempt has it too.
            guard await self.move(from: attempt) else { throw error }
        }
    }

    private func record(_ item: CallReplay.Item) async -> Attempt {
        while true {
            let recorded = self.state.withLock { state -> Recorded in
                if let moving = state.moving { return .wait(moving) }
                if case .part(.metadata(let metadata)) = item, let told = GRPCTimeout.told(by: metadata) {
                    state.deadline = .now() + TimeAmount(clamping: told)
                }
                state.replay.record(item)
                return .on(state.attempt)
            }
            switch recorded {
            case .on(let attempt): return attempt
            case .wait(let moving): await moving.get()
            }
        }
    }

    // MARK: The response

    /// The next part of the response; `nil` behind its end.
    func next() async throws -> ResponsePart? {
        while true {
            let attempt = self.state.withLock { $0.attempt }
            let part = try await attempt.inbound.next()
            if Self.isEnd(part), attempt.inbound.isUnprocessed, await self.move(from: attempt) { continue }
            self.state.withLock { $0.replay.stay() }
            return part
        }
    }

    private static func isEnd(_ part: ResponsePart?) -> Bool {
        switch part {
        case .status?, nil: true
        case .metadata?, .message?: false
        }
    }

    /// The caller is done with the call.
    func leave() { self.left().leave() }

    /// The caller gives the call up, and may still read its end.
    func cancel() {
        let attempt = self.left()
        attempt.mailbox.post(.leave(attempt.key))
    }

    private func left() -> Attempt {
        self.state.withLock { state in
            state.hasLeft = true
            return state.attempt
        }
    }

    // MARK: Another connection

    /// Begins again if that is possible; whether `attempt` is not the call's any more.
    private func move(from attempt: Attempt) async -> Bool {
        while true {
            let move = self.state.withLock { state -> Move in
                if state.attempt !== attempt { return .done(isMoved: true) }
                if let moving = state.moving { return .wait(moving) }
                guard attempt.inbound.isUnprocessed, state.replay.mayMove, !state.hasLeft else {
                    return .done(isMoved: false)
                }
                state.moving = Once()
                return .begin(state.replay, state.deadline)
            }
            switch move {
            case .done(let isMoved): return isMoved
            case .wait(let moving): await moving.get()
            case .begin(let replay, let deadline):
                let next = await self.begin(replay, before: deadline)
                self.moved(to: next, from: attempt)
            }
        }
    }

    /// Opens the call on another connection, and writes again what was written. Meanwhile nothing else is.
    private func begin(_ replay: CallReplay, before deadline: NIODeadline?) async -> Attempt? {
        guard let connection = try? await self.connect() else { return nil }
        let left = deadline.map { Duration.nanoseconds(($0 - .now()).nanoseconds) }
        if let left, left <= .zero { return nil }
        let next = Attempt(self.method, timeout: left, on: connection)
        for item in replay.items {
            // One that takes nothing any more tells its end to who reads.
            do { try await next.send(Self.renewed(item)) } catch { break }
        }
        return next
    }

    /// Metadata without the time that was left at first.
    private static func renewed(_ item: CallReplay.Item) -> CallReplay.Item {
        guard case .part(.metadata(var metadata)) = item else { return item }
        metadata.removeAllValues(forKey: GRPCTimeout.key)
        return .part(.metadata(metadata))
    }

    private func moved(to next: Attempt?, from old: Attempt) {
        let (moving, hasLeft) = self.state.withLock { state in
            if let next { state.attempt = next }
            state.replay.stay()
            defer { state.moving = nil }
            return (state.moving, state.hasLeft)
        }
        if let next {
            old.leave()
            if hasLeft { next.leave() }
        }
        moving?.set(())
    }
}

extension ClientCall: AsyncSequence {
    struct AsyncIterator: AsyncIteratorProtocol {
        let call: ClientCall

        mutating func next() async throws -> ResponsePart? { try await self.call.next() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ResponsePart? {
            try await self.call.next()
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(call: self) }
}

/// The writer that gRPC gets for a call.
struct ClientCallWriter: ClosableRPCWriterProtocol {
    let call: ClientCall

    func write(_ element: RequestPart) async throws { try await self.call.send(.part(element)) }

    func write(contentsOf elements: some Sequence<RequestPart>) async throws {
        for element in elements { try await self.call.send(.part(element)) }
    }

    func finish() async { try? await self.call.send(.finish) }

    func finish(throwing error: any Error) async { self.call.cancel() }
}
