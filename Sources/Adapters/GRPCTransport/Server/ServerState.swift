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

    let maximumConnections: Int
    private var phase = Phase.idle
    private(set) var listeners: [any Channel] = []
    private var connections: [UInt64: Connection] = [:]
    private var nextNumber: UInt64 = 0

    init(maximumConnections: Int) { self.maximumConnections = maximumConnections }

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
    mutating func add(_ connection: Connection) -> (UInt64, AsyncStream<AcceptedCall>.Continuation)? {
        guard case .listening(let calls) = self.phase, self.connections.count < self.maximumConnections else {
            return nil
        }
        self.nextNumber += 1
        self.connections[self.nextNumber] = connection
        return (self.nextNumber, calls)
    }

    mutating func remove(_ number: UInt64) {
        self.connections[number] = nil
        self.endIfDrained()
    }

    private mutating func endIfDrained() {
        guard case .draining(let calls) = self.phase, self.connections.isEmpty else { return }
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
        let result = (self.listeners, Array(self.connections.values))
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
        return self.listeners + self.connections.values.map(\.channel)
    }
}
