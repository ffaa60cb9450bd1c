package import DatabaseHealth
package import Logging
package import MailModel
package import NodeState
package import QueueStore
package import RouteLookup
package import ServiceSupport
package import ShardLeases

/// The parts of a node's deliveries, put together once. `DeliveryService` hands them on: each gets what it needs, and none
/// all of them.
package struct DeliveryParts: Sendable {
    let store: any DeliveryStore
    package let hosts: HostAccess
    package let gate: DeliveryGate
    /// What deliveries are busy with.
    package let activity: ActivityTable
    let destinations: Destination.Means
    /// Has answers of the DNS looked up anew when an operator says so.
    package let flushes: DNSFlushWatch?
    let logger: Logger
    let clock: DatabaseClock
    /// This node's own clock, and its timers.
    let time: any NodeClock

    init(
        _ settings: DeliverySettings, hosts: HostAccess, gate: DeliveryGate, store: any DeliveryStore,
        recorder: AttemptRecorder, reports: ReportLimiter, nullSenders: NullSenderShare,
        flushes: DNSFlushWatch? = nil, metrics: DeliveryMetrics, logger: Logger, clock: DatabaseClock,
        time: any NodeClock, random: RandomSource
    ) {
        let (activity, schedules) = (ActivityTable(), RetrySchedules(policy: settings.retries, state: hosts.state))
        let transfer = MessageTransfer.Means(
            store: store, recorder: recorder, leases: gate.leases, convertsEightBit: settings.convertsEightBit,
            messagesPerConnection: settings.messagesPerConnection)
        let attempts = DeliveryAttempt.Means(
            hosts: hosts, transfer: transfer, leases: gate.leases, activity: activity, metrics: metrics,
            logger: logger, time: time)
        let senderReports = SenderReports(
            node: settings.node, sender: settings.reportsFrom, returnedBytes: settings.returnedBytes,
            limiter: reports, store: store, time: time, random: random)
        let outcomes = OutcomeRecorder.Means(
            node: settings.node, logsAddresses: settings.logsAddresses, state: hosts.state, schedules: schedules,
            reports: senderReports, recorder: recorder, store: store, metrics: metrics, logger: logger, clock: clock,
            time: time)
        self.destinations = Destination.Means(
            store: store, gate: gate, attempts: attempts, outcomes: outcomes, schedules: schedules,
            connections: settings.connectionsPerDestination, nullSenders: nullSenders, sites: hosts.sites,
            links: hosts.links, activity: activity, flushes: flushes, metrics: metrics, logger: logger, clock: clock,
            time: time)
        (self.store, self.hosts, self.gate, self.activity, self.flushes) = (store, hosts, gate, activity, flushes)
        (self.logger, self.clock, self.time) = (logger, clock, time)
    }
}

extension DeliveryParts {
    /// Those of a node that has begun nothing yet.
    ///
    /// - Parameters:
    ///   - connections: the most at the same time.
    ///   - monitor: knows whether the database is well.
    ///   - flushes: has answers of the DNS looked up anew when an operator says so.
    package init(
        _ settings: DeliverySettings, timeouts: DialTimeouts, state: Replaceable<NodeState>,
        routes: any RouteSource, store: QueueStore, egress: EgressRoutes, network: NetworkMonitor, connections: Int,
        reports: ReportLimiter, metrics: DeliveryMetrics, logger: Logger, clock: DatabaseClock, time: any NodeClock,
        random: RandomSource, monitor: StoreMonitor, flushes: DNSFlushWatch
    ) {
        let sites = SiteTable(
            limits: state.current.sites, connections: connections, time: time,
            shortages: ConnectionShortages(
                ConnectionBudgets(connections: connections, destinations: DeliveryService.destinationsAtOnce),
                metrics: metrics, logger: logger))
        let chunkingRefusals = ChunkingRefusals()
        self.init(
            settings,
            hosts: HostAccess(
                state: state, port: settings.port, routes: routes,
                dialer: NetworkDialer(
                    timeouts, network: network, chunkingRefusals: chunkingRefusals, metrics: metrics, time: time),
                egress: egress, network: network, sites: sites, links: ConnectionPool(sites: sites),
                chunkingRefusals: chunkingRefusals),
            gate: DeliveryGate(leases: LeaseTable(time: time), standing: StandingRules(), monitor: monitor),
            store: store, recorder: AttemptRecorder(store: store, metrics: metrics, time: time, monitor: monitor),
            reports: reports, nullSenders: NullSenderShare(ofConnections: connections), flushes: flushes,
            metrics: metrics, logger: logger, clock: clock, time: time, random: random)
    }
}
