public import DANE
public import MailModel

/// How much of an answer a route uses (rule 12). RFC 5321 §5.1 lets a client limit what it tries; an answer with more is an
/// answer. Only aliases without end are a failure.
public struct DNSLimits: Hashable, Sendable {
    /// Alias hops in one answer.
    public var aliasHops = 16
    /// Mail exchangers of one domain: the most preferred.
    public var mailExchangers = 100
    /// Addresses of one host, both families together: the first of each.
    public var addressesPerHost = 30
    /// Names that are asked for DS to find out why an answer is insecure: as many labels may a name have.
    public var delegations = 16

    /// The documented limits.
    public init() {}
}

/// Which addresses connections may be made to.
public enum AddressFamilies: Hashable, Sendable {
    /// Of both families.
    case both
    /// IPv4 only: no host is asked for AAAA.
    case ipv4
    /// IPv6 only: no host is asked for A.
    case ipv6
}

/// What the operator may decide about routes. No setting makes a failed TLSA look-up count as absence (rule 28a).
public struct RoutePolicy: Hashable, Sendable {
    /// What secure TLSA records are worth when the MX RRset that names their host is not secure (RFC 7672 §2.2.1).
    public enum InsecureMX: String, Hashable, Sendable, CaseIterable {
        /// Authenticate the host, and report the route as `insecureMX`.
        case authenticate
        /// Demand TLS, but no authentication.
        case encrypt
        /// Look no TLSA up.
        case ignore
    }

    /// Rule 7.
    public var insecureMX = InsecureMX.authenticate
    /// Rule 12.
    public var limits = DNSLimits()
    /// Rule 15.
    public var digestPreference = DigestPreference.strongestFirst
    /// The names under which this system itself is an MX: hosts from its own preference on are not used (RFC 5321 §5.1).
    public var ownNames: Set<DomainName> = []
    /// The addresses at which this system itself takes mail; they count as its names do.
    public var ownAddresses: Set<IPAddress> = []
    /// Whether MX hosts on loopback are hosts like others. Only where a whole world for tests is on one machine.
    public var allowsLoopback = false
    /// The families that connections may use.
    public var families = AddressFamilies.both

    /// The defaults.
    public init() {}

    /// Whether an MX host at this address is this system itself.
    func isOurs(_ address: IPAddress) -> Bool {
        self.ownAddresses.contains(address.unmapped) && !(self.allowsLoopback && address.isLoopback)
    }

    /// Whether an MX host may be at this address at all. Mail for one on loopback would never leave this machine.
    func mayBeRemote(_ address: IPAddress) -> Bool {
        !address.isUnspecified && (self.allowsLoopback || !address.isLoopback)
    }
}
