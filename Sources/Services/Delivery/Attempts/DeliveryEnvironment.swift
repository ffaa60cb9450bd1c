import Admission
package import DatabaseHealth
package import DeliveryQueue
package import Logging
package import MailModel
package import NodeState
package import QueueStore
package import RouteLookup
import Routing
import SMTPProtocol
package import ServiceSupport
package import ShardLeases
import Telemetry

/// What all deliveries of a node share.
package struct DeliveryEnvironment: Sendable {
    /// What the operator decides about deliveries.
    package struct Settings: Sendable {
        /// This node's name, in traces and reports.
        let node: DomainName
        /// The port of hosts found by MX.
        let port: UInt16
        /// 8-bit content that nothing signs becomes 7-bit for hosts without 8BITMIME.
        var convertsEightBit: Bool
        let connectionsPerDestination: Int
        let messagesPerConnection: Int
        let retries: RetryPolicy
        /// The header address of reports to senders.
        let reportsFrom: Mailbox?
        /// The largest message that a report gives back whole, in bytes.
        let returnedBytes: Int
        /// Log lines have whole addresses, and not their domains alone.
        var logsAddresses: Bool

        package init(
            node: DomainName, port: UInt16, convertsEightBit: Bool,
            connectionsPerDestination: Int, messagesPerConnection: Int, retries: RetryPolicy, reportsFrom: Mailbox?,
            returnedBytes: Int, logsAddresses: Bool = false
        ) {
            self.node = node
            self.port = port
            self.convertsEightBit = convertsEightBit
            self.connectionsPerDestination = connectionsPerDestination
            self.messagesPerConnection = messagesPerConnection
            self.retries = retries
            self.reportsFrom = reportsFrom
            self.returnedBytes = returnedBytes
            self.logsAddresses = logsAddresses
        }
    }

    /// Addresses tried in one attempt, over all hosts; an attempt that found none of them open is a failed attempt.
    static let addressesPerAttempt = 20
    /// Addresses tried of one host, so that those behind it get their turn.
    static let addressesPerHost = 4
    /// Hosts whose look-up failed, in one attempt: whoever names a hundred that nobody answers for is not waited for so long. One
    /// that provably does not exist has not failed.
    static let failedLookUpsPerAttempt = 10
    /// How long a destination rests whose look-ups our own resolver could not make.
    static let resolverPause = Duration.seconds(10)
    /// A host that was planned so long ago, before the wait for a connection to it, is looked up again.
    static let planAge = Duration.seconds(1)
    /// How long a destination rests whose route has changed while it waited.
    static let routePause = Duration.seconds(1)
    /// How long a destination rests for which we could open no connection ourselves.
    static let networkPause = Duration.seconds(5)
    /// How long a connection waits for the next message before it is given back.
    static let connectionIdleTime = Duration.seconds(1)

    var settings: Settings
    /// Says where mail goes and what hosts owe. An attempt takes it once.
    var state: Replaceable<NodeState>
    let routes: any RouteSource
    /// Opens connections to hosts.
    var dialer: any HostDialer
    let store: any DeliveryStore
    let recorder: AttemptRecorder
    package let leases: LeaseTable
    let egress: EgressRoutes
    /// Knows whether connections can be opened from here.
    let network: NetworkMonitor
    package let sites: SiteTable
    /// Connections that wait for the next message.
    let links: ConnectionPool
    let reports: ReportLimiter
    let nullSenders: NullSenderShare
    /// What deliveries are busy with.
    package let activity = ActivityTable()
    /// What operators say of all mail to some domains.
    package let standing = StandingRules()
    /// Hosts that get no BDAT, whatever they offer.
    let chunkingRefusals: ChunkingRefusals
    let metrics: DeliveryMetrics
    var logger: Logger
    let clock: DatabaseClock
    /// This node's own clock, and its timers.
    let time: any NodeClock
    let random: RandomSource
    /// Knows whether the database is well.
    var monitor: StoreMonitor?
    /// Has answers of the DNS looked up anew when an operator says so.
    package var flushes: DNSFlushWatch?

    /// Whether an attempt may begin. It may not while the database is not well, since what is sent could not be marked
    /// as sent, nor before operators' rules are known.
    var mayDeliver: Bool { (self.monitor?.isOpen ?? true) && self.standing.areKnown }

    /// An address of a host, with our egress sources that work.
    func target(_ address: IPAddress, _ port: UInt16) -> ConnectionTarget {
        ConnectionTarget(address, port, by: self.network.working(self.egress.sources(to: address), to: address))
    }

    /// Whether mail for a domain needs look-ups: not where its next hop is given by address.
    func needsDNS(_ domain: DomainName) -> Bool {
        self.state.current.policy.nextHop(for: domain, port: self.settings.port).address == nil
    }

    /// When mail to a recipient domain is tried again.
    func schedule(for domain: DomainName) -> RetrySchedule {
        self.settings.retries[domain, hasNextHop: self.state.current.policy.hasNextHop(domain)]
    }
}

extension DeliveryEnvironment {
    /// One for a node, which has begun nothing yet.
    ///
    /// - Parameters:
    ///   - connections: the most at the same time.
    ///   - monitor: knows whether the database is well.
    ///   - flushes: has answers of the DNS looked up anew when an operator says so.
    package init(
        settings: Settings, timeouts: DialTimeouts, state: Replaceable<NodeState>, routes: any RouteSource,
        store: QueueStore, egress: EgressRoutes, network: NetworkMonitor, connections: Int, reports: ReportLimiter,
        metrics: DeliveryMetrics, logger: Logger, clock: DatabaseClock, time: any NodeClock, random: RandomSource,
        monitor: StoreMonitor, flushes: DNSFlushWatch
    ) {
        let sites = SiteTable(
            limits: state.current.sites, connections: connections, time: time,
            shortages: ConnectionShortages(
                ConnectionBudgets(connections: connections, destinations: DeliveryService.destinationsAtOnce),
                metrics: metrics, logger: logger))
        let chunkingRefusals = ChunkingRefusals()
        self.init(
            settings: settings, state: state, routes: routes,
            dialer: NetworkDialer(
                timeouts, network: network, chunkingRefusals: chunkingRefusals, metrics: metrics, time: time),
            store: store,
            recorder: AttemptRecorder(store: store, metrics: metrics, time: time, monitor: monitor),
            leases: LeaseTable(time: time), egress: egress, network: network, sites: sites,
            links: ConnectionPool(sites: sites), reports: reports,
            nullSenders: NullSenderShare(ofConnections: connections), chunkingRefusals: chunkingRefusals,
            metrics: metrics, logger: logger, clock: clock, time: time, random: random, monitor: monitor,
            flushes: flushes)
    }
}
