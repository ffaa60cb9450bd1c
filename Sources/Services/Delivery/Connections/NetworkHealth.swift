import DeliveryQueue
import MailModel
import OperatingSystem

/// One route out of this machine: a source address, or the family where the system chooses the address.
struct EgressRoute: Hashable {
    let source: IPAddress?
    let isIPv6: Bool
    /// Where it leads, if that is one configured next hop and nowhere else.
    let nextHop: IPAddress?

    init(source: IPAddress?, isIPv6: Bool, nextHop: IPAddress? = nil) {
        self.source = source
        self.isIPv6 = isIPv6
        self.nextHop = nextHop
    }

    /// The route that a connection to this address takes.
    init(to address: IPAddress, by egress: Egress) { self.init(source: egress.address, isIPv6: address.isIPv6) }

    var words: String {
        let start = self.source.map { "from \($0)" } ?? (self.isIPv6 ? "over IPv6" : "over IPv4")
        return self.nextHop.map { "\(start) to \($0)" } ?? start
    }
}

/// Whether connections can be opened from this machine; a pure value, which is told what the system said.
///
/// That one address cannot be reached says nothing yet, for anybody can publish an address to which no route leads. A
/// fault counts as ours if it comes before the address matters, or if the system would not send to well-known addresses
/// either (`RouteProbe`). It also counts if the system would not send to the next hop that the operator named.
///
/// A machine may have one family only, or no route to the public network at all. So a missing route to well-known addresses is
/// a fault only where there was one since the start, or where nothing has ever worked.
///
/// ```
/// working ──fault of ours──▶ broken ──probes pass for a while, or a connection was opened──▶ working
/// ```
struct NetworkHealth {
    /// What probes of routes, which send nothing, found out beside the fault.
    struct Surroundings: Hashable {
        /// The system would send to well-known addresses, by the same route.
        var isRouted = true
        /// It would by the other family.
        var isOtherFamilyRouted = true
        /// The address is a configured next hop, to which the system would not send.
        var isNextHopCutOff = false
    }

    /// What an event changed.
    enum Change: Hashable {
        case none
        case broke(EgressRoute, ConnectFault)
        case recovered(EgressRoute, after: Duration)
    }

    private struct Broken {
        let fault: ConnectFault
        let since: MonotonicInstant
        var passingSince: MonotonicInstant?
    }

    /// How long probes must pass until a route counts as working again.
    static let trial = Duration.seconds(2)

    /// Bounded by the routes and next hops that were configured.
    private var broken: [EgressRoute: Broken] = [:]
    /// The families, by `isIPv6`, in which the system would have sent to well-known addresses at some time.
    private var routedFamilies: Set<Bool> = []
    /// A connection was opened that left this machine.
    private var hasConnected = false

    /// The routes that do not work.
    var brokenRoutes: [EgressRoute: ConnectFault] { self.broken.mapValues(\.fault) }

    // MARK: - Events

    /// The system would send to well-known addresses in this family.
    mutating func routed(isIPv6: Bool) { self.routedFamilies.insert(isIPv6) }

    /// A connection to an address failed for a fault of this system. Whether it was ours, and what has changed.
    mutating func failed(
        _ fault: ConnectFault, to address: IPAddress, by route: EgressRoute, _ around: Surroundings,
        at now: MonotonicInstant
    ) -> (isOurs: Bool, Change) {
        guard let route = self.brokenRoute(fault, to: address, by: route, around) else { return (false, .none) }
        let former = self.broken[route]
        self.broken[route] = Broken(fault: fault, since: former?.since ?? now)
        return (true, former?.fault == fault ? .none : .broke(route, fault))
    }

    /// The route that a fault shows to be broken; `nil` where it is the address that cannot be reached.
    private func brokenRoute(
        _ fault: ConnectFault, to address: IPAddress, by route: EgressRoute, _ around: Surroundings
    ) -> EgressRoute? {
        if fault.isOfResources || fault == .sourceAddress && route.source != nil { return route }
        let wasRouted = self.routedFamilies.contains(route.isIPv6)
        if !around.isRouted, wasRouted || !around.isOtherFamilyRouted && !self.hasConnected { return route }
        guard around.isNextHopCutOff else { return nil }
        return EgressRoute(source: route.source, isIPv6: route.isIPv6, nextHop: address)
    }

    /// A connection to an address was opened.
    mutating func connected(to address: IPAddress, by route: EgressRoute, at now: MonotonicInstant) -> Change {
        guard !address.isLoopback else { return .none }
        self.hasConnected = true
        for broken in [route, EgressRoute(source: route.source, isIPv6: route.isIPv6, nextHop: address)] {
            guard let former = self.broken.removeValue(forKey: broken) else { continue }
            return .recovered(broken, after: now - former.since)
        }
        return .none
    }

    /// A route that does not work was probed.
    mutating func probed(_ route: EgressRoute, passes: Bool, at now: MonotonicInstant) -> Change {
        guard let broken = self.broken[route] else { return .none }
        let passingSince = passes ? broken.passingSince ?? now : nil
        guard let passingSince, now - passingSince >= Self.trial else {
            self.broken[route]?.passingSince = passingSince
            return .none
        }
        self.broken[route] = nil
        return .recovered(route, after: now - broken.since)
    }

    /// Why mail waits that has no other route, for the operator; `nil` while there is one. IPv4 stands in for IPv6, since hardly a
    /// host has only that; but not the other way round.
    ///
    /// - Parameter working: routes that work, by a probe.
    func problem(working: Set<EgressRoute>) -> String? {
        let stuck = self.broken.filter { route, broken in
            let others = working.filter { self.broken[$0] == nil && (!$0.isIPv6 || route.isIPv6) }
            return broken.fault.isOfResources || others.isEmpty
        }
        guard let (route, broken) = stuck.min(by: { $0.key.words < $1.key.words }) else { return nil }
        return "mail to receiving hosts waits: no connection \(route.words), \(broken.fault.words)"
    }
}
