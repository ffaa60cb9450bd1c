public import MailModel

/// Where a message goes next, before any look-up.
public enum NextHop: Hashable, Sendable {
    /// A mail domain: its MX records decide, or the domain itself where it has none (RFC 5321 §5.1).
    case domain(DomainName, port: UInt16 = 25)
    /// A host that the operator configured: no MX look-up, and DANE when its addresses are secure (rule 11).
    case host(DomainName, port: UInt16 = 25)
    /// An address literal: nothing is looked up, so DANE cannot apply.
    case address(IPAddress, port: UInt16 = 25)

    /// The port of the connection, and so of the TLSA records (rule 6).
    public var port: UInt16 {
        switch self {
        case .domain(_, let port), .host(_, let port), .address(_, let port): port
        }
    }
}

/// How many records of each kind a route may have (rule 12). Beyond a limit the look-up fails by name: part of a
/// list that somebody else wrote is not a route.
public struct DNSLimits: Hashable, Sendable {
    /// Alias hops in one answer.
    public var aliasHops = 16
    /// Mail exchangers of one domain.
    public var mailExchangers = 100
    /// Addresses of one host, both families together.
    public var addressesPerHost = 30

    /// The documented limits.
    public init() {}
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

    /// The defaults.
    public init() {}
}
