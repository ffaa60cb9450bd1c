package import Admission
package import DeliveryQueue
package import MailModel
package import TLSEngine
package import TransportSecurity

/// What a node serves by, as far as that may change while it runs. It says whose mail is taken and where it goes, who may
/// send, which certificates the node shows, and what receiving hosts must prove or are exempt from.
///
/// It is one value, and replaced as a whole. Each decision about a client, a recipient or an attempt takes it once. So next
/// hop and obligation always come from one state, and an attempt under way keeps what it began with. It does not know where
/// it comes from.
package struct NodeState: Sendable {
    /// Tells it from the states before and after it.
    package var version: UInt64
    /// Whose mail is taken, and where it goes.
    package var policy: InboundPolicy
    /// Those that may relay after AUTH; `nil` where AUTH is not offered.
    package var users: UserCredentials?
    /// What is shown to clients, and whom it recognises by theirs; `nil` where STARTTLS is not offered.
    package var certificates: ServedCertificates?
    /// Whether a node is ready only with a certificate in its dates (`tls.required`).
    package var requiresCertificate: Bool
    /// What the operator demands of deliveries to some domains.
    package var destinations: DestinationRules
    package var sites: SiteLimits
    /// Has the authorities that `policy` and `destinations` name.
    package var tls: TLSClientContext

    package init(
        version: UInt64 = 1, policy: InboundPolicy, users: UserCredentials? = nil,
        certificates: ServedCertificates? = nil, requiresCertificate: Bool = true, destinations: DestinationRules,
        sites: SiteLimits, tls: TLSClientContext
    ) {
        self.version = version
        self.policy = policy
        self.users = users
        self.certificates = certificates
        self.requiresCertificate = requiresCertificate
        self.destinations = destinations
        self.sites = sites
        self.tls = tls
    }

    /// This state as the successor of the one in force.
    package func following(_ current: NodeState) -> NodeState {
        var next = self
        next.version = current.version + 1
        // Mail for a postmaster who is named no more may have been answered 250.
        next.policy.postmaster = next.policy.postmaster ?? current.policy.postmaster
        return next
    }

    /// The site at the end of a route.
    package func site(hosts: [DomainName], configured address: IPAddress?) -> ReceivingSite {
        if hosts.isEmpty, let address { return .address(address) }
        return self.sites.site(of: hosts)
    }

    /// What is demanded of hosts for a domain now.
    package func transport(to domain: DomainName, at now: Timestamp) -> TransportPolicy {
        self.destinations.transport(to: domain, stating: self.policy.domains[domain]?.demands, at: now)
    }

    /// Whether content for a domain may go to a site by BDAT. A rule about the domain comes before one about its hosts,
    /// and that before the default.
    package func usesChunking(to domain: DomainName, at site: ReceivingSite) -> Bool {
        self.destinations.usesChunking(to: domain, stating: self.policy.domains[domain]?.demands)
            ?? self.sites[site].usesChunking
    }
}
