public import DANE
import DNSModel
public import MailModel
import Routing

/// What two deliveries must have in common to share a connection (rules 26 and 27).
public struct ConnectionReuseKey: Hashable, Sendable {
    /// Whose wishes a connection was opened under (RFC 8689 §5).
    public enum Protection: Hashable, Sendable {
        /// Transport security as DNS and policy demand it.
        case full
        /// The sender said `TLS-Required: No`. Such a connection never serves protected mail.
        case tlsNotRequired
    }

    private enum Obligation: Hashable {
        case mustAuthenticate(records: Set<TLSARecord>, at: TLSABaseDomain)
        case mustVerify(CertificateVerification)
        case mustEncrypt
        case opportunistic
    }

    private let host: DomainName?
    private let address: IPAddress
    private let port: UInt16
    private let obligation: Obligation
    private let tlsa: TLSARecordSetIdentity?
    private let trust: RouteTrust
    /// It says what was left to prove where no record turned out to be usable.
    private let policy: TransportPolicy
    private let protection: Protection

    /// The key of a delivery to one address of `host`.
    public init(
        host: DomainName?, address: IPAddress, port: UInt16, requirement: AttemptRequirement,
        protection: Protection = .full
    ) {
        self.host = host
        self.address = address
        self.port = port
        // Reference identifiers stay out: they differ by next-hop domain, which `WarmConnection` judges by the match.
        self.obligation =
            switch requirement.tls {
            case .mustAuthenticate(let wanted): .mustAuthenticate(records: Set(wanted.records), at: wanted.baseDomain)
            case .mustVerify(let verification): .mustVerify(verification)
            case .mustEncrypt: .mustEncrypt
            case .opportunistic: .opportunistic
            }
        self.tlsa = requirement.tlsaIdentity
        self.trust = requirement.trust
        self.policy = requirement.policy
        self.protection = protection
    }
}

/// An open connection that has delivered, and what it proved.
public struct WarmConnection: Hashable, Sendable {
    /// What it was opened for.
    public let key: ConnectionReuseKey
    /// The next-hop domain that it was opened for.
    public let nextHopDomain: DomainName?
    /// What the peer proved by DANE, if that was asked.
    public let peer: DANEAuthenticatedPeer?
    /// What it proved by its certificate, if that was asked.
    public let certified: CertifiedPeer?
    /// Authentication was owed until the TLS library found none of the key's records usable, so that TLS alone was.
    public let isWithoutUsableRecords: Bool

    /// A connection.
    public init(
        key: ConnectionReuseKey, nextHopDomain: DomainName?, peer: DANEAuthenticatedPeer?,
        certified: CertifiedPeer? = nil, isWithoutUsableRecords: Bool = false
    ) {
        self.key = key
        self.nextHopDomain = nextHopDomain
        self.peer = peer
        self.certified = certified
        self.isWithoutUsableRecords = isWithoutUsableRecords
    }

    /// Whether it may carry mail of `requirement` for another, or the same, next-hop domain.
    public func serves(
        _ key: ConnectionReuseKey, requirement: AttemptRequirement, nextHopDomain: DomainName?
    ) -> Bool {
        guard self.key == key else { return false }
        let authentication: DANEAuthentication
        switch requirement.tls {
        case .mustAuthenticate(let wanted): authentication = wanted
        // The name is the operator's, so it is the same whichever domain the mail is for.
        case .mustVerify(let verification): return self.certified?.verification == verification
        case .mustEncrypt, .opportunistic: return true
        }
        // The same records, by the key: they are no more usable now, and no name has part in that (RFC 7672 §2.2, rule 14).
        if self.isWithoutUsableRecords { return true }
        // Reused without proof is a failure.
        guard let peer = self.peer, authentication.accepts(peer) else { return false }
        guard self.nextHopDomain != nextHopDomain else { return true }
        // The name of one customer's domain proves nothing to another's.
        return peer.matched.usage == .daneEE || peer.matchedName == peer.baseDomain.name
    }
}
