import DANE
import MailModel
import SecureResolver

/// Accepted domains whose mail would come back to this node.
///
/// Where no next hop is named, the MX record of the domain decides, and the best MX is often the very node that takes the mail
/// in. Such mail is accepted and then bounced with 5.4.6 (RFC 5321 §5.1).
struct ReturningDomains {
    /// The most domains that are looked up.
    static let mostDomains = 500
    /// Those looked up at once.
    private static let atOnce = 20

    let loaded: LoadedConfiguration
    let routes: RouteFinder

    init(_ loaded: LoadedConfiguration, resolver: SecureResolver) {
        self.loaded = loaded
        // Interfaces that cannot be told leave nothing to compare with.
        let interfaces = (try? LocalAddresses.ofInterfaces()) ?? []
        self.routes = RouteFinder(
            resolver: resolver, policy: loaded.configuration.routePolicy(interfaces: interfaces), watch: .none)
    }

    /// A warning for each of them.
    func warnings() async -> [ConfigurationProblem] {
        let port = self.loaded.configuration.delivery.port
        let domains = self.loaded.configuration.acceptedDomains.enumerated().filter { $1.nextHop == .mx }
        var found: [Int] = []
        await withTaskGroup(of: Int?.self) { group in
            for (count, (index, domain)) in domains.prefix(Self.mostDomains).enumerated() {
                // One more begins when one has ended.
                if count >= Self.atOnce, let returning = await group.next() { found += [returning].compactMap(\.self) }
                group.addTask { await self.isReturning(.domain(domain.domain, port: port)) ? index : nil }
            }
            for await returning in group { found += [returning].compactMap(\.self) }
        }
        return found.sorted().map { index in
            self.loaded.problem(
                with: "accepted-domains", element: "[\(index)]",
                """
                \(self.loaded.configuration.acceptedDomains[index].domain) has no next-hop, and its best mail exchanger is this \
                node: its mail would be accepted and bounced with 5.4.6; set next-hop to the server that holds the mailboxes
                """)
        }
    }

    /// Whether the route leads back to this node; `false` where it leads elsewhere, or cannot be found now.
    private func isReturning(_ nextHop: NextHop) async -> Bool {
        switch await self.routes.route(to: nextHop) {
        case .failure(let reason): return reason.isReturning
        case .success(var route):
            switch await route.next() {
            case .failure(let reason): return reason.isReturning
            case .success(let host): return host.failure?.isReturning ?? false
            case nil: return false
            }
        }
    }
}

extension NoRoute {
    fileprivate var isReturning: Bool { if case .failed(let failure) = self { failure.isReturning } else { false } }
}

extension RouteFailure {
    fileprivate var isReturning: Bool { if case .routingLoop = self { true } else { false } }
}
