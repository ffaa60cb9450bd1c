package import MailModel
package import RelayConfiguration
import RouteLookup
package import Routing
package import SecureResolver

/// Finds out whether mail for an accepted domain would come back to this node.
///
/// Without a configured next hop, the MX record of the domain decides. The best MX is often the very node that takes
/// the mail in. Such mail would be accepted and then bounced with 5.4.6 (RFC 5321 §5.1). A configured next hop may have
/// an address of this node, too. Mail to it would go round until it has too many Received fields. What is known at the
/// start stops it (`ownNextHops`); what the DNS says is asked for each recipient, and by `config check --dns`.
package struct ReturningMail: Sendable {
    private let routes: RouteFinder
    /// The port of hosts found by MX.
    private let port: UInt16
    /// Whether a listener of this node takes what is sent to an address.
    private let isOwn: @Sendable (NextHop) -> Bool

    /// - Parameter interfaces: the addresses of this machine, which a listener on all of them covers.
    package init(
        _ configuration: RelaydConfiguration, resolver: SecureResolver, interfaces: [IPAddress],
        time: any NodeClock, random: RandomSource
    ) {
        self.routes = RouteFinder(
            resolver: resolver, policy: configuration.routePolicy(interfaces: interfaces), watch: .none,
            time: time, random: random)
        self.port = configuration.delivery.port
        self.isOwn = { configuration.listener(at: $0, interfaces: interfaces) != nil }
    }

    /// Whether the way of a domain's mail leads to this node; `false` where it leads elsewhere, or cannot be found now.
    ///
    /// - Parameter nextHop: where the operator says that the mail goes; `nil` is by MX.
    package func comesBack(_ domain: DomainName, by nextHop: NextHop?) async -> Bool {
        switch await self.routes.route(to: nextHop ?? .domain(domain, port: self.port)) {
        case .failure(let reason): return reason.isReturning
        case .success(var route):
            switch await route.next() {
            case .failure(let reason): return reason.isReturning
            case .success(let host):
                // Routing takes the operator's word for a named next hop. This does not.
                let isOwn = nextHop != nil && host.addresses.contains { self.isOwn(.address($0, port: host.port)) }
                return host.failure?.isReturning ?? isOwn
            case nil: return false
            }
        }
    }

    /// What is said of a domain whose mail would come back.
    package static func words(_ domain: DomainName, by nextHop: NextHop?) -> String {
        let cause =
            nextHop.map { "\($0.settingText), the next-hop of \(domain), has the address of a listener of this node" }
            ?? "\(domain) has no next-hop, and its best mail exchanger is this node"
        return """
            \(cause): recipients of it are refused with 451 4.4.6, since mail would come back; set next-hop to the server \
            that holds the mailboxes
            """
    }
}

extension NoRoute {
    fileprivate var isReturning: Bool { if case .failed(let failure) = self { failure.isReturning } else { false } }
}

extension RouteFailure {
    fileprivate var isReturning: Bool { if case .routingLoop = self { true } else { false } }
}
