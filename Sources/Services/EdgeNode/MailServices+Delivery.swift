import Admission
import Delivery
import DeliveryQueue
import Logging
import MailModel
import NIOPosix
import NodeState
import OperatingSystem
import QueueStore
import RelayConfiguration
import RouteLookup
import Routing
import SecureResolver
import ServiceSupport
import ShardLeases

extension MailServices {
    func deliveryParts(_ parts: Parts) throws -> DeliveryParts {
        let (state, port) = (parts.state, self.configuration.delivery.port)
        let routes = RouteFinder(
            resolver: self.foundations.resolver,
            policy: self.configuration.routePolicy(interfaces: try LocalAddresses.ofInterfaces()),
            watch: self.foundations.resolverHealth.watch, time: self.time, random: self.random)
        let flushes = DNSFlushWatch(
            store: parts.store, resolver: self.foundations.resolver, time: self.time, logger: self.logger
        ) { domain in
            let nextHop = state.current.policy.nextHop(for: domain, port: port)
            return nextHop.address == nil ? routes.questions(to: nextHop) : nil
        }
        return DeliveryParts(
            self.configuration.deliverySettings, timeouts: self.configuration.dialTimeouts, state: state,
            routes: routes, store: parts.store,
            egress: self.configuration.egress,
            network: parts.network, connections: self.configuration.delivery.maxConnections,
            reports: self.configuration.reportLimiter, metrics: self.metrics.delivery, logger: self.logger,
            clock: parts.clock, time: self.time, random: self.random, monitor: parts.monitor, flushes: flushes)
    }

    func deliveryService(_ parts: Parts, _ deliveries: DeliveryParts, _ hints: DueHints) -> DeliveryService {
        let maintenance = QueueMaintenance(
            store: parts.store, leases: deliveries.gate.leases, traceLimits: self.configuration.traceLimits,
            metrics: self.metrics.delivery, time: self.time, logger: self.logger)
        let publisher = ActivityPublisher(
            deliveries.activity, store: parts.store, clock: parts.clock, time: self.time, logger: self.logger)
        return DeliveryService(
            parts: deliveries, store: parts.store, eventLoops: Array(parts.group.makeIterator()),
            health: self.foundations.health, hints: hints, drainTime: self.configuration.drain.timeout,
            leaseMetrics: self.metrics.leases, chores: [{ await maintenance.run() }, { await publisher.run() }])
    }

    func callAhead(_ parts: Parts, _ deliveries: DeliveryParts) -> CallAheadService {
        CallAheadService(
            self.configuration.callAheadLimits, hosts: deliveries.hosts, standing: deliveries.gate.standing,
            eventLoops: parts.group, metrics: self.metrics.delivery, logger: self.logger, clock: parts.clock,
            time: self.time)
    }
}
