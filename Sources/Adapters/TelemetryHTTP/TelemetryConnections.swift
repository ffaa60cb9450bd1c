import MailModel
import NIOCore
import Synchronization

/// Which connections of the telemetry server are open, and which one a new connection replaces.
///
/// Nobody is refused: whoever comes last is the one who may be asking whether the node lives. At a limit an older connection
/// is closed instead, so clients that hold all they can get never keep anybody out.
struct TelemetrySlots {
    /// Numbers rise with time.
    typealias ID = UInt64

    private struct Slot {
        var client: IPAddress?
        var hasAnswer = false
    }

    private let limits: TelemetryLimits
    private var slots: [ID: Slot] = [:]
    private var lastID: ID = 0

    init(limits: TelemetryLimits) { self.limits = limits }

    /// How many connections are open.
    var count: Int { self.slots.count }

    /// Admits a connection, and names the one to close for it, if any. That is one of this client where the client has
    /// all that it may have. It is one of the client with the most where the server has.
    mutating func admit(_ client: IPAddress?) -> (id: ID, evicted: ID?) {
        let client = client?.network(ipv4: 32, ipv6: 64)
        var evicted: ID?
        if self.slots.values.count(where: { $0.client == client }) >= self.limits.connectionsPerClient {
            evicted = self.oldest { $0.client == client }
        } else if self.slots.count >= self.limits.connections {
            let counts = self.slots.values.reduce(into: [:]) { $0[$1.client, default: 0] += 1 }
            let most = counts.values.max()
            evicted = self.oldest { counts[$0.client] == most }
        }
        if let evicted { self.slots[evicted] = nil }
        self.lastID += 1
        self.slots[self.lastID] = Slot(client: client)
        return (self.lastID, evicted)
    }

    /// The answer is written: the connection has nothing more to wait for.
    mutating func answered(_ id: ID) { self.slots[id]?.hasAnswer = true }

    mutating func closed(_ id: ID) { self.slots[id] = nil }

    /// Those that have their answer go first.
    private func oldest(_ isCandidate: (Slot) -> Bool) -> ID? {
        self.slots.filter { isCandidate($0.value) }
            .min { ($0.value.hasAnswer ? 0 : 1, $0.key) < ($1.value.hasAnswer ? 0 : 1, $1.key) }?.key
    }

}

/// `TelemetrySlots` with the channels, shared by the server's event loops.
final class TelemetryConnections: Sendable {
    private struct State {
        var slots: TelemetrySlots
        var channels: [TelemetrySlots.ID: any Channel] = [:]
    }

    private let state: Mutex<State>

    init(limits: TelemetryLimits) { self.state = Mutex(State(slots: TelemetrySlots(limits: limits))) }

    /// Admits a connection, and closes another one if there are too many. It forgets the connection when that is closed.
    func admit(_ channel: any Channel) -> TelemetrySlots.ID {
        let client = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let (id, evicted) = self.state.withLock { state in
            let (id, evicted) = state.slots.admit(client)
            state.channels[id] = channel
            return (id, evicted.flatMap { state.channels[$0] })
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { state in
                state.slots.closed(id)
                state.channels[id] = nil
            }
        }
        evicted?.close(promise: nil)
        return id
    }

    /// The answer is written.
    func answered(_ id: TelemetrySlots.ID) { self.state.withLock { $0.slots.answered(id) } }
}
