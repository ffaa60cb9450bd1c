import Admission
import DeliveryQueue
import MailModel
import TLSEngine

/// What a node serves by, as far as its files may change that while it runs: whose mail is taken, where it goes, and what
/// receiving hosts owe and are spared.
///
/// It is one value, and replaced as a whole. Whatever is decided for a recipient or an attempt takes it once, so that next hop and
/// obligation are always of one configuration, and an attempt under way keeps what it began with.
struct NodeState: Sendable {
    /// Tells it from the states before and after it.
    var version: UInt64 = 1
    var policy: InboundPolicy
    /// What the operator demands of deliveries to some domains.
    let destinations: DestinationRules
    let sites: SiteLimits
    /// Has the authorities that `destinations` names.
    let tls: TLSClientContext

    /// The site at the end of a route.
    func site(hosts: [DomainName], configured address: IPAddress?) -> ReceivingSite {
        if hosts.isEmpty, let address { return .address(address) }
        return self.sites.site(of: hosts)
    }

    /// Whether content for a domain may go to a site by BDAT: what is stated of the domain comes before what is stated of its
    /// hosts, and that before what is usual.
    func usesChunking(to domain: DomainName, at site: ReceivingSite) -> Bool {
        self.destinations.usesChunking(to: domain) ?? self.sites[site].usesChunking
    }
}
