public import DeliveryQueue
public import MailModel
public import Routing
public import TransportSecurity

/// One address on which the node takes SMTP connections.
public struct Listener: Hashable, Sendable {
    /// The `listener` label of metrics.
    public var name = "smtp"
    public var address = Endpoint(.v4(0), 25)
    public var hostName: DomainName?
    /// Whether each connection begins with a header of the PROXY protocol.
    public var proxyProtocol = false

    public init() {}

    /// One of this name; an empty name is replaced by `nameListeners`.
    init(name: String) { self.name = name }
}

/// A chain and its key, both PEM, and the SNI names for which they are shown.
public struct CertificateFiles: Hashable, Sendable {
    public var certificate = ""
    public var key = ""
    /// Empty means the names in the certificate.
    public var names: [DomainName] = []

    public init() {}
}

/// A domain whose mail is taken from anyone.
public struct AcceptedDomainSettings: Hashable, Sendable {
    public var domain: DomainName
    /// Where its mail goes; its MX records say so unless given.
    public var nextHop: NextHop?
    public var recipients = ConfiguredRecipients.any
    public var transport = TransportSettings()

    public init(_ domain: DomainName) { self.domain = domain }
}

/// What is demanded of the hosts of a destination; what is not given is left to others.
public struct TransportSettings: Hashable, Sendable {
    public var tls: TransportPolicy.Keyword?
    /// PEM file of the authorities for `verify`; the system's unless given.
    public var authorityFile: String?
    /// The name for `verify`; the next hop's unless given.
    public var name: DomainName?
    public var chunking: Bool?

    public init() {}
}

/// What is demanded of the hosts of some recipient domains.
public struct DestinationRule: Hashable, Sendable {
    public var domain: DomainPattern
    public var transport = TransportSettings()

    public init(_ domain: DomainPattern) { self.domain = domain }
}

/// Recipient domains whose hosts owe nothing, whatever DANE demands, why, and until when.
public struct TLSException: Hashable, Sendable {
    public var domain: DomainPattern
    public var reason = ""
    /// The first day on which it has no effect.
    public var until: CalendarDay

    public init(_ domain: DomainPattern, until: CalendarDay) {
        self.domain = domain
        self.until = until
    }
}

/// Which recipients of an accepted domain exist.
public enum ConfiguredRecipients: Hashable, Sendable {
    /// All of them, as far as this node knows.
    case any
    /// Those whose local parts stand in this file.
    case file(String)
    /// Those that the next hop would take.
    case callAhead
}

/// What is done with a recipient about whom the next hop does not say anything in time.
public enum CallAheadFailure: String, CaseIterable, Hashable, Sendable {
    /// The client is told to try later.
    case tempfail
    /// The recipient is accepted.
    case accept
}

/// The clients that may relay because of their certificates.
public struct ClientCertificates: Hashable, Sendable {
    /// PEM file of the authorities whose certificates count.
    public var authorityFile: String?
    /// Certificates or keys that count whoever issued them.
    public var fingerprints: [SHA256Fingerprint] = []

    public init() {}
}

/// A zone that is asked for at given servers.
public struct ResolverStub: Hashable, Sendable {
    public var zone: DomainName
    public var servers: [Endpoint] = []

    public init(_ zone: DomainName) { self.zone = zone }
}

/// A domain whose answers are believed without DNSSEC, why, and until when.
public struct UnvalidatedDomainRule: Hashable, Sendable {
    public var domain: DomainName
    public var reason = ""
    /// The first day on which it is validated again.
    public var until: CalendarDay

    public init(_ domain: DomainName, until: CalendarDay) {
        self.domain = domain
        self.until = until
    }
}

/// Whether the resolver's process must lock itself in.
public enum ResolverSandbox: String, CaseIterable, Hashable, Sendable {
    /// Without its lock it does not start, nor does the node.
    case required
    /// It is not locked in: whoever breaks into it has what this user has.
    case off
}

/// Which 8-bit messages become quoted-printable for hosts without 8BITMIME (RFC 6152 §3).
public enum EightBitConversion: String, CaseIterable, Hashable, Sendable {
    /// None: another host is tried, else the sender is told.
    case never
    /// Those that nothing signs or encrypts.
    case unsigned
}

/// One of our addresses that connections to receiving hosts come from.
public struct SourceAddress: Hashable, Sendable {
    public var address = IPAddress.v4(0)
    /// The name in EHLO; that of all others unless given.
    public var hostName: DomainName?

    public init() {}
}

/// Which of a host's addresses are tried, and in which order.
public enum AddressPreference: String, CaseIterable, Hashable, Sendable {
    case ipv6First = "ipv6-first"
    case ipv4First = "ipv4-first"
    case ipv6Only = "ipv6-only"
    case ipv4Only = "ipv4-only"
}

/// What the mail exchangers of one pattern are to be spared; they count as one site.
public struct SiteRule: Hashable, Sendable {
    public var mx: DomainPattern
    public var maxConnections: Int?
    public var rate: Int?
    public var chunking: Bool?

    public init(_ mx: DomainPattern) { self.mx = mx }
}

/// How mail to the recipient domains of one pattern is retried, where that differs from the rest.
public struct RetryRule: Hashable, Sendable {
    public var domain: DomainPattern
    public var schedule: [Duration]?
    public var lifetime: Duration?
    public var daneSchedule: [Duration]?
    public var daneLifetime: Duration?
    public var delayNotice: Duration?

    public init(_ domain: DomainPattern) { self.domain = domain }
}

/// The least level of log lines; the names are those of swift-log.
public enum LogLevel: String, CaseIterable, Hashable, Sendable {
    case trace, debug, info, notice, warning, error, critical
}
