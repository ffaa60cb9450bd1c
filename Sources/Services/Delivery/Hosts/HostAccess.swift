import Admission
import DeliveryQueue
import MailModel
import NodeState
import RouteLookup
import Routing
import ServiceSupport

/// How receiving hosts are found and reached. Deliveries and questions about recipients share it, and so their slots.
package struct HostAccess: Sendable {
    /// Says where mail goes and what hosts owe. An attempt takes it once.
    var state: Replaceable<NodeState>
    /// The port of hosts found by MX.
    let port: UInt16
    let routes: any RouteSource
    /// Opens connections to hosts.
    var dialer: any HostDialer
    let egress: EgressRoutes
    /// Knows whether connections can be opened from here.
    let network: NetworkMonitor
    package let sites: SiteTable
    /// Connections that wait for the next message.
    let links: ConnectionPool
    /// Hosts that get no BDAT, whatever they offer.
    let chunkingRefusals: ChunkingRefusals

    /// An address of a host, with our egress sources that work.
    func target(_ address: IPAddress, _ port: UInt16) -> ConnectionTarget {
        ConnectionTarget(address, port, by: self.network.working(self.egress.sources(to: address), to: address))
    }

    /// Whether mail for a domain needs look-ups: not where its next hop is given by address.
    func needsDNS(_ domain: DomainName) -> Bool {
        self.state.current.policy.nextHop(for: domain, port: self.port).address == nil
    }

    /// The same for a single question, which keeps the state in which it began. No step of its connections takes longer than
    /// this, and they are closed apart.
    func limited(to limit: Duration, by state: NodeState) -> HostAccess {
        var access = self
        access.dialer = self.dialer.limited(to: limit)
        access.state = Replaceable(state)
        return access
    }
}
