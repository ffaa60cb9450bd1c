public import DNSModel
public import MailModel

/// Where the TLSA records of a host were found: `_25._tcp.` in front of this name (RFC 7672 §2.2.3).
public struct TLSABaseDomain: Hashable, Sendable {
    /// The host, after alias expansion where that is secure; it is also the SNI name (rule 20).
    public let name: DomainName
    /// The port of the connection.
    public let port: UInt16

    /// A base domain.
    public init(_ name: DomainName, port: UInt16 = 25) {
        self.name = name
        self.port = port
    }
}

/// What the DNSSEC state of one MX host obliges the client to do (RFC 7672 §2.2).
public enum DANERequirement: Hashable, Sendable {
    /// Authenticate with one of these usable records, or do not use this host.
    case authenticate(DANEAuthentication)
    /// Records exist but none is usable: TLS is mandatory, authentication is not.
    case encrypt
    /// No secure records: opportunistic TLS.
    case opportunistic
    /// Bogus or failed lookup: skip this host. Never read as "no records" (§2.1.2).
    case unavailable(DNSFailure)
}

/// All that verifying one host takes.
public struct DANEAuthentication: Hashable, Sendable {
    /// The usable records after digest agility; never empty.
    public let records: [TLSARecord]
    /// Where they were found; its name goes into SNI.
    public let baseDomain: TLSABaseDomain
    /// The names that a certificate under a DANE-TA record may carry (RFC 7672 §3.2.2); the base domain comes first.
    public let referenceIdentifiers: [DomainName]

    /// The obligation to match one of `records`.
    public init(records: [TLSARecord], baseDomain: TLSABaseDomain, referenceIdentifiers: [DomainName]) {
        self.records = records
        self.baseDomain = baseDomain
        self.referenceIdentifiers = referenceIdentifiers
    }
}

/// Proof that a peer matched a usable TLSA record. Only the verifier can make one.
public struct DANEAuthenticatedPeer: Hashable, Sendable {
    /// The record that matched.
    public let matched: TLSARecord
    /// Where it was found.
    public let baseDomain: TLSABaseDomain
    /// The reference identifier that the certificate carried; `nil` under DANE-EE, where names do not count.
    public let matchedName: DomainName?

    /// For the TLS engine alone, once a handshake has been verified.
    package init(matched: TLSARecord, baseDomain: TLSABaseDomain, matchedName: DomainName?) {
        self.matched = matched
        self.baseDomain = baseDomain
        self.matchedName = matchedName
    }
}
