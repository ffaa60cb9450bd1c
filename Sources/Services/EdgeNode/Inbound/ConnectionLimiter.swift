import MailModel
import NIOCore
import Synchronization

/// Counts the client connections of a node, and refuses those over a limit.
final class ConnectionLimiter: Sendable {
    /// The most connections at once, in all and from one address.
    struct Limits: Hashable, Sendable {
        var total: Int
        var perAddress: Int
    }

    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var perAddress: [IPAddress: Int] = [:]
        var isDraining = false
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits) { self.limits = limits }

    /// What becomes of a new connection.
    enum Admission: Equatable {
        case admitted, overLimit, draining
    }

    /// Counts a connection, if there is room for it.
    func admit(_ channel: any Channel, from address: IPAddress) -> Admission {
        self.state.withLock { state in
            if state.isDraining { return .draining }
            let ofAddress = state.perAddress[address, default: 0]
            guard state.channels.count < self.limits.total, ofAddress < self.limits.perAddress else {
                return .overLimit
            }
            state.channels[ObjectIdentifier(channel)] = channel
            state.perAddress[address] = ofAddress + 1
            return .admitted
        }
    }

    /// Forgets a connection that was admitted.
    func closed(_ channel: any Channel, from address: IPAddress) {
        self.state.withLock { state in
            guard state.channels.removeValue(forKey: ObjectIdentifier(channel)) != nil else { return }
            let rest = state.perAddress[address, default: 1] - 1
            state.perAddress[address] = rest > 0 ? rest : nil
        }
    }

    /// The connections open now.
    var count: Int { self.state.withLock(\.channels.count) }

    /// Admits nobody any more, and tells every open connection to end as soon as its message has.
    func drain() {
        let channels = self.state.withLock { state in
            state.isDraining = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(InboundConnection.Drain()) }
    }

    /// Closes what is still open.
    func closeAll() {
        let channels = self.state.withLock { Array($0.channels.values) }
        for channel in channels { channel.close(promise: nil) }
    }
}
