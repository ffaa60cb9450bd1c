import DeliveryQueue
package import Logging
package import MailModel
import NIOCore
import OperatingSystem
import QueueStore
import ServiceLifecycle
import ServiceSupport
import Synchronization
package import Telemetry

/// Tells faults of this machine's network from those of receiving hosts, says so once, and looks for their end.
package final class NetworkMonitor: Service {
    private static let interval = Duration.seconds(1)
    /// Addresses that the public network leads to: name servers of the root. Nothing is ever sent to them from here.
    private static let wellKnown = ["198.41.0.4", "202.12.27.33", "2001:503:ba3e::2:30", "2001:dc3::35"]

    private let routes: Set<EgressRoute>
    private let isNextHop: @Sendable (IPAddress) -> Bool
    private let references: [IPAddress]
    private let port: UInt16
    private let health: HealthRegistry
    private let time: any NodeClock
    private let logger: Logger
    /// Says why the system would not send to an address, from a port and a source; it sends nothing.
    private let probe: @Sendable (IPAddress, UInt16, IPAddress?) -> ConnectFault?
    private let state = Mutex(State())

    private struct State {
        var health = NetworkHealth()
        /// How many changes there were.
        var changes: UInt64 = 0
    }

    /// - Parameters:
    ///   - routes: all that connections may take.
    ///   - isNextHop: whether the operator has named a next hop by this address.
    init(
        routes: Set<EgressRoute>, isNextHop: @escaping @Sendable (IPAddress) -> Bool, port: UInt16,
        health: HealthRegistry, time: any NodeClock, logger: Logger,
        probe: @escaping @Sendable (IPAddress, UInt16, IPAddress?) -> ConnectFault? = {
            RouteProbe.fault(to: $0, port: $1, from: $2)
        }
    ) {
        self.routes = routes
        self.isNextHop = isNextHop
        self.references = Self.wellKnown.compactMap { IPAddress($0) }
        self.port = port
        self.health = health
        self.time = time
        self.logger = logger
        self.probe = probe
        self.learnFamilies()
    }

    /// - Parameters:
    ///   - egress: has all routes that connections may take.
    ///   - isNextHop: whether the operator has named a next hop by this address.
    package convenience init(
        _ egress: EgressRoutes, isNextHop: @escaping @Sendable (IPAddress) -> Bool, port: UInt16,
        health: HealthRegistry, time: any NodeClock, logger: Logger
    ) {
        self.init(routes: egress.all, isNextHop: isNextHop, port: port, health: health, time: time, logger: logger)
    }

    // MARK: - Events

    /// A connection was opened.
    func connected(to address: IPAddress, by route: EgressRoute) {
        self.note { $0.connected(to: address, by: route, at: self.time.now) }
    }

    /// A connection was not opened: why, as the attempt has it.
    func judge(_ error: any Error, to address: IPAddress, by route: EgressRoute) -> HostFailure {
        guard let error = error as? IOError else {
            guard case .connectTimeout(let limit)? = error as? ChannelError else {
                // Words of a library are for nobody who reads a report.
                self.logger.error("a connection failed in an unknown way", metadata: ["error": "\(error)"])
                return HostFailure(.connectionRefused, "the connection could not be opened")
            }
            return HostFailure(.connectionTimeout, "no connection within \(limit.nanoseconds / 1_000_000_000) s")
        }
        guard let fault = ConnectFault(errno: error.errnoCode) else {
            return HostFailure(.connectionRefused, systemWords(errno: error.errnoCode))
        }
        let around = self.surroundings(of: address, route)
        var isOurs = false
        self.note { health in
            let (verdict, change) = health.failed(fault, to: address, by: route, around, at: self.time.now)
            isOurs = verdict
            return change
        }
        return HostFailure(isOurs ? .localNetwork : .hostUnreachable, fault.words)
    }

    private func surroundings(of address: IPAddress, _ route: EgressRoute) -> NetworkHealth.Surroundings {
        NetworkHealth.Surroundings(
            isRouted: self.works(route),
            isOtherFamilyRouted: self.works(EgressRoute(source: nil, isIPv6: !route.isIPv6)),
            isNextHopCutOff: self.isNextHop(address) && self.probe(address, self.port, route.source) != nil)
    }

    /// Those of some sources for an address that work; all of them if none does.
    func working(_ sources: [Egress], to address: IPAddress) -> [Egress] {
        guard sources.count > 1 else { return sources }
        let broken = self.state.withLock(\.health.brokenRoutes)
        guard !broken.isEmpty else { return sources }
        let working = sources.filter { broken[EgressRoute(to: address, by: $0)] == nil }
        return working.isEmpty ? sources : working
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.learnFamilies()
                for route in self.state.withLock({ Array($0.health.brokenRoutes.keys) }) {
                    let passes = self.works(route)
                    self.note { $0.probed(route, passes: passes, at: self.time.now) }
                }
                try? await self.time.sleep(for: Self.interval)
            }
        }
    }

    // MARK: - Probes

    private func learnFamilies() {
        for isIPv6 in [false, true] where self.works(EgressRoute(source: nil, isIPv6: isIPv6)) {
            self.state.withLock { $0.health.routed(isIPv6: isIPv6) }
        }
    }

    /// Whether the system would send by this route, anywhere.
    private func works(_ route: EgressRoute) -> Bool {
        let targets = route.nextHop.map { [$0] } ?? self.references.filter { $0.isIPv6 == route.isIPv6 }
        return targets.contains { self.probe($0, self.port, route.source) == nil }
    }

    private func note(_ event: (inout NetworkHealth) -> NetworkHealth.Change) {
        let (change, health, number) = self.state.withLock { state in
            let change = event(&state.health)
            if change != .none { state.changes += 1 }
            return (change, state.health, state.changes)
        }
        guard change != .none else { return }
        self.show(health, ofChange: number)
        switch change {
        case .none: ()
        case .broke(let route, let fault):
            self.logger.error(
                "this system cannot open connections to receiving hosts: their mail waits",
                metadata: [LogKey.reason: "\(fault.words)", LogKey.egress: "\(route.words)"])
        case .recovered(let route, let time):
            self.logger.notice(
                "connections to receiving hosts can be opened again",
                metadata: [LogKey.egress: "\(route.words)", "after": "\(time)"])
        }
    }

    /// Probes, which event loops must not wait for, and then sets readiness. Of two changes the later one stands in the end.
    private func show(_ health: NetworkHealth, ofChange number: UInt64) {
        let problem = health.problem(working: self.routes.filter { self.works($0) })
        self.health.set(.network, problem.map { .degraded($0) } ?? .passing, turn: number)
    }
}
