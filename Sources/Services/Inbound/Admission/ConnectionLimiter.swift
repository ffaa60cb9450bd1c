package import Admission
import MailModel
import Synchronization
import Telemetry

/// The table of a node's client connections, which all listeners and event loops share.
package final class ConnectionLimiter: Sendable {
    private let table: Mutex<ConnectionTable<ObjectIdentifier>>

    package init(limits: ConnectionLimits) { self.table = Mutex(ConnectionTable(limits)) }

    /// A connection was accepted. Whatever the answer, `closed` is told of its end.
    func open(_ id: ObjectIdentifier) -> ConnectionDecision { self.table.withLock { $0.opened(id) } }

    /// The client of an open connection is known now.
    func identify(_ id: ObjectIdentifier, as address: IPAddress, at now: MonotonicInstant) -> ConnectionDecision {
        self.table.withLock { $0.identified(id, as: address, at: now) }
    }

    /// Forgets a connection.
    func closed(_ id: ObjectIdentifier) { self.table.withLock { $0.closed(id) } }

    /// Whether nobody is admitted any more.
    var isDraining: Bool { self.table.withLock { $0.isDraining } }

    /// Admits nobody any more.
    func drain() { self.table.withLock { $0.drain() } }
}

extension ConnectionRefusal {
    /// Its label in metrics.
    var label: InboundConnectionResult {
        switch self {
        case .total: .refusedLimit
        case .address: .refusedAddress
        case .rate: .refusedRate
        case .draining: .refusedDraining
        }
    }
}
