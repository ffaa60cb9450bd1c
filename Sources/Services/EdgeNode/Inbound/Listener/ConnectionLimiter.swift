import Admission
import MailModel
import Synchronization

/// Counts the client connections of a node, and refuses those over a limit.
///
/// A connection takes its place when it is accepted, and is counted for its client once that is known, which behind a
/// proxy is later. Those that are refused are counted too, until they have taken their reply.
final class ConnectionLimiter: Sendable {
    /// What the clients may have.
    struct Limits: Hashable, Sendable {
        /// Connections at once, of all clients.
        var total: Int
        /// Connections at once of one client.
        var perAddress: Int
        /// New connections of one client in a minute; 0 for any number.
        var perMinute = 0
        /// Which addresses are one client.
        var clients = ClientNetworks()

        /// Connections that are being told of their refusal; one more is closed without a word.
        static let refusals = 256
    }

    /// What becomes of a new connection.
    enum Admission: Equatable {
        case admitted
        /// It is told why.
        case refused(ConnectionRefusal)
        /// Too many are being told already.
        case dropped
    }

    private enum Place {
        /// Its client is not known yet.
        case open
        case client(IPAddress)
        case refused
    }

    private struct State {
        var places: [ObjectIdentifier: Place] = [:]
        var refusals = 0
        var perAddress: [IPAddress: Int] = [:]
        var rates = ConnectionRates()
        var isDraining = false

        mutating func refuse(_ id: ObjectIdentifier, _ refusal: ConnectionRefusal) -> Admission {
            guard self.refusals < Limits.refusals else {
                self.places[id] = nil
                return .dropped
            }
            self.places[id] = .refused
            self.refusals += 1
            return .refused(refusal)
        }
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits) { self.limits = limits }

    /// A connection was accepted. Whatever the answer, `closed` is told of its end.
    func open(_ id: ObjectIdentifier) -> Admission {
        self.state.withLock { state in
            if state.isDraining { return state.refuse(id, .draining) }
            guard state.places.count - state.refusals < self.limits.total else { return state.refuse(id, .total) }
            state.places[id] = .open
            return .admitted
        }
    }

    /// The client of an open connection is known now.
    func identify(_ id: ObjectIdentifier, as address: IPAddress, at now: ContinuousClock.Instant) -> Admission {
        let client = self.limits.clients.client(of: address)
        return self.state.withLock { state in
            if self.limits.perMinute > 0, state.rates.count(client, at: now, limit: self.limits.perMinute) {
                return state.refuse(id, .rate)
            }
            let connections = state.perAddress[client, default: 0]
            guard connections < self.limits.perAddress else { return state.refuse(id, .address) }
            state.perAddress[client] = connections + 1
            state.places[id] = .client(client)
            return .admitted
        }
    }

    /// Forgets a connection.
    func closed(_ id: ObjectIdentifier) {
        self.state.withLock { state in
            switch state.places.removeValue(forKey: id) {
            case .client(let client):
                let rest = state.perAddress[client, default: 1] - 1
                state.perAddress[client] = rest > 0 ? rest : nil
            case .refused: state.refusals -= 1
            case .open, nil: ()
            }
        }
    }

    /// Whether nobody is admitted any more.
    var isDraining: Bool { self.state.withLock { $0.isDraining } }

    /// Admits nobody any more.
    func drain() { self.state.withLock { $0.isDraining = true } }
}
