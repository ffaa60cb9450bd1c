package import MailModel

/// What the clients of a node may have.
package struct ConnectionLimits: Hashable, Sendable {
    /// Connections at once, of all clients.
    package var total: Int
    /// Connections at once of one client.
    package var perAddress: Int
    /// New connections of one client in a minute; 0 for any number.
    package var perMinute: Int
    /// Which addresses are one client.
    package var clients: ClientNetworks

    /// Connections that are being told of their refusal; one more is closed without a word.
    package static let refusals = 256

    package init(total: Int, perAddress: Int, perMinute: Int = 0, clients: ClientNetworks = ClientNetworks()) {
        self.total = total
        self.perAddress = perAddress
        self.perMinute = perMinute
        self.clients = clients
    }
}

/// What becomes of a new connection.
package enum ConnectionDecision: Hashable, Sendable {
    case admitted
    /// It is told why.
    case refused(ConnectionRefusal)
    /// Too many are being told already.
    case dropped
}

/// Counts the client connections of a node, and refuses those over a limit; a pure value that is told the time.
///
/// A connection takes its slot when it is accepted, and is counted for its client once that is known, which behind a
/// proxy is later. Those that are refused are counted too, until they have taken their reply.
package struct ConnectionTable<ID: Hashable> {
    private enum Slot {
        /// Its client is not known yet.
        case open
        case client(IPAddress)
        case refused
    }

    private let limits: ConnectionLimits
    private var slots: [ID: Slot] = [:]
    private var refusals = 0
    private var perAddress: [IPAddress: Int] = [:]
    private var rates = ConnectionRates()
    /// Whether nobody is admitted any more.
    package private(set) var isDraining = false

    /// Without connections.
    package init(_ limits: ConnectionLimits) { self.limits = limits }

    /// A connection was accepted. Whatever the answer, `closed` is told of its end.
    package mutating func opened(_ id: ID) -> ConnectionDecision {
        if self.isDraining { return self.refuse(id, .draining) }
        guard self.slots.count - self.refusals < self.limits.total else { return self.refuse(id, .total) }
        self.slots[id] = .open
        return .admitted
    }

    /// The client of an open connection is known now.
    package mutating func identified(
        _ id: ID, as address: IPAddress, at now: MonotonicInstant
    ) -> ConnectionDecision {
        let client = self.limits.clients.client(of: address)
        if self.limits.perMinute > 0, self.rates.count(client, at: now, limit: self.limits.perMinute) {
            return self.refuse(id, .rate)
        }
        let connections = self.perAddress[client, default: 0]
        guard connections < self.limits.perAddress else { return self.refuse(id, .address) }
        self.perAddress[client] = connections + 1
        self.slots[id] = .client(client)
        return .admitted
    }

    /// Forgets a connection.
    package mutating func closed(_ id: ID) {
        switch self.slots.removeValue(forKey: id) {
        case .client(let client):
            let rest = self.perAddress[client, default: 1] - 1
            self.perAddress[client] = rest > 0 ? rest : nil
        case .refused: self.refusals -= 1
        case .open, nil: ()
        }
    }

    /// Admits nobody any more.
    package mutating func drain() { self.isDraining = true }

    private mutating func refuse(_ id: ID, _ refusal: ConnectionRefusal) -> ConnectionDecision {
        guard self.refusals < ConnectionLimits.refusals else {
            self.slots[id] = nil
            return .dropped
        }
        self.slots[id] = .refused
        self.refusals += 1
        return .refused(refusal)
    }
}
