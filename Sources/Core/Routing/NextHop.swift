public import MailModel

/// Where a message goes next, before any look-up.
public enum NextHop: Hashable, Sendable {
    /// A mail domain: its MX records decide, or the domain itself where it has none (RFC 5321 §5.1).
    case domain(DomainName, port: UInt16 = 25)
    /// A host that the operator configured: no MX look-up, and DANE when its addresses are secure (rule 11).
    case host(DomainName, port: UInt16 = 25)
    /// An address that the operator configured: nothing is looked up, so DANE cannot apply.
    case address(IPAddress, port: UInt16 = 25)
    /// An address literal of a recipient (RFC 5321 §4.1.3): as `address`, but it must not be this system, as no MX host may.
    case literal(IPAddress, port: UInt16 = 25)

    /// The port of the connection, and so of the TLSA records (rule 6).
    public var port: UInt16 {
        switch self {
        case .domain(_, let port), .host(_, let port), .address(_, let port), .literal(_, let port): port
        }
    }

    /// The address, where the operator or the recipient's literal gives one.
    public var address: IPAddress? {
        switch self {
        case .address(let address, _), .literal(let address, _): address
        case .domain, .host: nil
        }
    }
}
