import GRPCCore
import NIOCore

/// What a server transport has open, and whether it takes more.
struct ServerState {
    struct Connection: Sendable {
        let channel: any Channel
        let drain: @Sendable () -> Void
    }

    private enum Phase {
        case idle
        case listening(AsyncStream<AcceptedCall>.Continuation)
        case draining(AsyncStream<AcceptedCall>.Continuation)
        case stopped
    }

    /// What becomes of a new connection.
    enum Admission {
        case serve(UInt64, AsyncStream<AcceptedCall>.Continuation)
        /// Calls on it are refused.
        case refuse(UInt64, ConnectionRefusal)
        case close(ConnectionRefusal)
        /// The server takes none any more.
        case late
    }

    private var phase = Phase.idle
    private(set) var listeners: [any Channel] = []
    private var allowance: ConnectionAllowance
    private var served: [UInt64: Connection] = [:]
    /// Connections whose calls are refused.
    private var refused: [UInt64: Connection] = [:]
    private var nextNumber: UInt64 = 0

    init(_ limits: ConnectionLimits, at now: NIODeadline) { self.allowance = ConnectionAllowance(limits, at: now) }

    mutating func start(_ calls: AsyncStream<AcceptedCall>.Continuation) throws(RPCError) {
        guard case .idle = self.phase else {
            throw RPCError(code: .failedPrecondition, message: "the transport listens already, or has stopped")
        }
        self.phase = .listening(calls)
    }

    /// Adds a listener; `false` if it is too late.
    mutating func add(_ listener: any Channel) -> Bool {
        guard case .listening = self.phase else { return false }
        self.listeners.append(listener)
        return true
    }

    /// Adds a connection, if it may be there.
    mutating func admit(_ connection: Connection, at now: NIODeadline) -> Admission {
        guard case .listening(let calls) = self.phase else { return .late }
        self.nextNumber += 1
        switch self.allowance.judge(served: self.served.count, refused: self.refused.count, at: now) {
        case .serve:
            self.served[self.nextNumber] = connection
            return .serve(self.nextNumber, calls)
        case .refuse(let reason):
            self.refused[self.nextNumber] = connection
            return .refuse(self.nextNumber, reason)
        case .close(let reason): return .close(reason)
        }
    }

    mutating func remove(_ number: UInt64) {
        self.served[number] = nil
        self.refused[number] = nil
        self.endIfDrained()
    }

    private mutating func endIfDrained() {
        guard case .draining(let calls) = self.phase, self.served.isEmpty, self.refused.isEmpty else { return }
        self.phase = .stopped
        calls.finish()
    }

    /// Begins a graceful end; gives what is to be closed and drained.
    mutating func drain() -> (listeners: [any Channel], connections: [Connection]) {
        switch self.phase {
        case .idle: self.phase = .stopped
        case .listening(let calls): self.phase = .draining(calls)
        case .draining, .stopped: return ([], [])
        }
        let result = (self.listeners, Array(self.served.values) + Array(self.refused.values))
        self.listeners = []
        self.endIfDrained()
        return result
    }

    /// Ends at once; gives what is to be closed.
    mutating func stop() -> [any Channel] {
        switch self.phase {
        case .listening(let calls), .draining(let calls): calls.finish()
        case .idle, .stopped: ()
        }
        self.phase = .stopped
        defer { self.listeners = [] }
        return self.listeners + self.served.values.map(\.channel) + self.refused.values.map(\.channel)
    }
}
