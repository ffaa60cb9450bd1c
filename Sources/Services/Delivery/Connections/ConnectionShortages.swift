import DeliveryQueue
import Logging
import MailModel
import ServiceSupport
import Synchronization
import Telemetry

/// How many deliveries wait for a connection, by the limit that keeps them waiting.
struct ConnectionShortage: Hashable, Sendable {
    /// Strangers' hosts, or those being opened, have all that they may.
    var pool = 0
    /// Strangers' hosts in one network have.
    var network = 0
    /// Hosts in one network that have taken mail have.
    var provenNetwork = 0
    /// Mail without a sender has its half of what these have.
    var nullSenders = 0
    /// The node has.
    var node = 0
    /// The address takes no more.
    var address = 0
}

/// The sizes of the limits, as the log tells them.
struct ConnectionBudgets: Sendable {
    var pool: String
    var network: String
    var provenNetwork: String
    var nullSenders: String
    var nullSenderDeliveries: String
    var node: String
    var destinations: String

    /// - Parameter connections: those of the whole node.
    init(connections: Int, destinations: Int) {
        let sizes = ConnectionAdmission.poolSizes(connections: connections)
        self.pool = "\(sizes.opening) being opened, \(sizes.unproven) in all"
        self.network = "\(sizes.openingPerNetwork) being opened, \(sizes.unprovenPerNetwork) in all"
        self.provenNetwork = "\(sizes.provenOpeningPerNetwork) being opened, \(sizes.perNetwork) in all"
        let half = ConnectionAdmission.poolSizes(connections: connections, share: .nullSender)
        self.nullSenders = "\(half.opening) being opened, \(half.unproven) in all"
        self.nullSenderDeliveries = "\(NullSenderShare.size(ofConnections: connections))"
        self.node = "\(connections)"
        self.destinations = "\(destinations)"
    }
}

/// Tells when deliveries wait because connections, or slots for destinations, have run out. It does so by a metric, and
/// by a line in the log for each limit when it is reached and when it suffices again.
final class ConnectionShortages: Sendable {
    /// So long nobody must wait before it is over.
    private static let relief = Duration.seconds(10)
    /// So long mail without a sender that found no part of its share is taken to wait: the next walk but some tries again.
    private static let refusalMemory = BlockedDomains.sharePause + LookPlan.walkInterval * 2

    private struct State {
        /// The limits that do not suffice, and the last time at which somebody waited.
        var lastWait: [DeliveryLimitLabel: MonotonicInstant] = [:]
        var waiting = ConnectionShortage()
        var destinations = 0
        /// When mail without a sender last found no part of its share.
        var nullSenderRefusal: MonotonicInstant?
    }

    private enum Change { case began, ended }

    private let metrics: DeliveryMetrics
    private let logger: Logger
    private let budgets: ConnectionBudgets
    private let state = Mutex(State())

    init(_ budgets: ConnectionBudgets, metrics: DeliveryMetrics, logger: Logger) {
        self.budgets = budgets
        self.metrics = metrics
        self.logger = logger
    }

    /// So many wait now.
    func observed(_ waiting: ConnectionShortage, at now: MonotonicInstant) {
        let gauge = self.metrics.deliveriesAwaiting
        gauge[.pool].set(waiting.pool)
        gauge[.network].set(waiting.network)
        gauge[.provenNetwork].set(waiting.provenNetwork)
        gauge[.nullSenders].set(waiting.nullSenders)
        gauge[.node].set(waiting.node)
        gauge[.address].set(waiting.address)
        self.state.withLock { $0.waiting = waiting }
        self.look(at: now)
    }

    /// There was no slot for so many destinations at the last look.
    func observed(destinationsLeft count: Int, at now: MonotonicInstant) {
        self.metrics.deliveriesAwaiting[.destinations].set(count)
        self.state.withLock { $0.destinations = count }
        self.look(at: now)
    }

    /// Mail without a sender stays in the database, since as much of it is being delivered as may be.
    func refusedNullSender(at now: MonotonicInstant) {
        self.state.withLock { $0.nullSenderRefusal = now }
        self.look(at: now)
    }

    /// Time has passed: what has sufficed for long enough is over.
    func look(at now: MonotonicInstant) {
        let changes = self.state.withLock { state in
            let isRefused = state.nullSenderRefusal.map { now - $0 < Self.refusalMemory } ?? false
            self.metrics.deliveriesAwaiting[.nullSenderDeliveries].set(isRefused ? 1 : 0)
            // Who waits for an address waits for its host, which is no limit of ours.
            let counts: [(DeliveryLimitLabel, Int)] = [
                (.pool, state.waiting.pool), (.network, state.waiting.network),
                (.provenNetwork, state.waiting.provenNetwork), (.nullSenders, state.waiting.nullSenders),
                (.node, state.waiting.node),
                (.nullSenderDeliveries, isRefused ? 1 : 0), (.destinations, state.destinations),
            ]
            return counts.compactMap { limit, count -> (DeliveryLimitLabel, Change)? in
                if count > 0 { return state.lastWait.updateValue(now, forKey: limit) == nil ? (limit, .began) : nil }
                guard let last = state.lastWait[limit], now - last >= Self.relief else { return nil }
                state.lastWait[limit] = nil
                return (limit, .ended)
            }
        }
        for (limit, change) in changes { self.say(change, limit) }
    }

    private func say(_ change: Change, _ limit: DeliveryLimitLabel) {
        let (what, size, setting) = self.description(of: limit)
        let metadata: Logger.Metadata = [
            LogKey.limit: "\(limit.rawValue)", LogKey.size: "\(size)", LogKey.setting: "\(setting)",
        ]
        switch change {
        case .began: self.logger.warning("\(what) have run out: deliveries wait", metadata: metadata)
        case .ended: self.logger.notice("\(what) suffice again", metadata: metadata)
        }
    }

    private func description(of limit: DeliveryLimitLabel) -> (what: String, size: String, setting: String) {
        let setting = "delivery.max-connections"
        return switch limit {
        case .pool: ("connections to receiving hosts that have not taken mail lately", self.budgets.pool, setting)
        case .network:
            ("connections to such hosts of one network", self.budgets.network, setting)
        case .provenNetwork: ("connections to hosts of one network", self.budgets.provenNetwork, setting)
        case .nullSenders: ("connections for mail without a sender", self.budgets.nullSenders, setting)
        case .nullSenderDeliveries:
            ("deliveries of mail without a sender", self.budgets.nullSenderDeliveries, setting)
        case .node: ("connections to receiving hosts", self.budgets.node, setting)
        case .address: ("connections to an address", "as found out", "none")
        case .destinations: ("slots for domains under way", self.budgets.destinations, "none")
        }
    }
}
