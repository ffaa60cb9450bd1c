import GRPCCore

/// What a client transport's callers can have at the moment.
struct ClientState {
    typealias Waiter = CheckedContinuation<ClientConnection, any Error>

    private enum Phase {
        /// `connect` was not called: callers wait.
        case idle
        /// The first attempt, or the first after a connection: callers wait.
        case connecting
        /// The last attempt failed: callers that do not wait for a connection fail.
        case failing(RPCError)
        case ready(ClientConnection)
        case stopped
    }

    enum Outcome {
        case now(Result<ClientConnection, RPCError>)
        case wait
    }

    private var phase = Phase.idle
    private var hasConnected = false
    private var waiters: [UInt64: (continuation: Waiter, waitForReady: Bool)] = [:]
    private var nextWaiter: UInt64 = 0
    /// How often another connection was asked for.
    private(set) var replacements = 0
    /// Of connections that are made from now on.
    private(set) var keepalive: KeepaliveLimits?

    init(keepalive: KeepaliveLimits?) { self.keepalive = keepalive }

    static var stopped: RPCError {
        RPCError(code: .failedPrecondition, message: "the transport is shutting down, or has")
    }

    var isStopped: Bool { if case .stopped = self.phase { true } else { false } }

    mutating func newWaiter() -> UInt64 {
        self.nextWaiter += 1
        return self.nextWaiter
    }

    /// What a caller gets at once.
    func lookup(waitForReady: Bool) -> Outcome {
        switch self.phase {
        case .ready(let connection): .now(.success(connection))
        case .stopped: .now(.failure(Self.stopped))
        case .failing(let error) where !waitForReady: .now(.failure(error))
        case .idle, .connecting, .failing: .wait
        }
    }

    mutating func add(_ number: UInt64, _ waiter: Waiter, waitForReady: Bool) {
        self.waiters[number] = (waiter, waitForReady)
    }

    mutating func removeWaiter(_ number: UInt64) -> Waiter? {
        self.waiters.removeValue(forKey: number)?.continuation
    }

    // MARK: The connection

    /// `connect` was called.
    mutating func start() throws(RPCError) {
        guard case .idle = self.phase, !self.hasConnected else {
            throw RPCError(code: .failedPrecondition, message: "the transport connects already, or has stopped")
        }
        self.hasConnected = true
        self.phase = .connecting
    }

    /// A connection is up; gives those who waited for one, or `nil` if it is too late.
    mutating func connected(_ connection: ClientConnection) -> [Waiter]? {
        guard !self.isStopped else { return nil }
        self.phase = .ready(connection)
        defer { self.waiters = [:] }
        return self.waiters.values.map(\.continuation)
    }

    /// A connection takes no calls any more.
    mutating func disconnected(_ connection: ClientConnection) {
        if case .ready(let current) = self.phase, current === connection { self.phase = .connecting }
    }

    /// Another connection is asked for; gives the one that is to end by it.
    mutating func replace() -> ClientConnection? {
        self.replacements += 1
        if case .ready(let current) = self.phase { return current }
        return nil
    }

    /// A server said that it was pinged too often.
    mutating func pingedTooOften() { self.keepalive?.double() }

    /// An attempt failed; gives those who do not wait any longer.
    mutating func failed(_ error: RPCError) -> [Waiter] {
        switch self.phase {
        // The connection that was to be replaced goes on.
        case .stopped, .ready: return []
        case .idle, .connecting, .failing: ()
        }
        self.phase = .failing(error)
        let hasty = self.waiters.filter { !$0.value.waitForReady }
        for number in hasty.keys { self.waiters[number] = nil }
        return hasty.values.map(\.continuation)
    }

    /// No more calls; gives those who waited, and the connection to drain.
    mutating func stop() -> (waiters: [Waiter], connection: ClientConnection?) {
        var connection: ClientConnection?
        if case .ready(let current) = self.phase { connection = current }
        self.phase = .stopped
        defer { self.waiters = [:] }
        return (self.waiters.values.map(\.continuation), connection)
    }
}
