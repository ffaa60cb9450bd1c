import DANE
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

    private let host: DomainName?
    private let address: IPAddress
    private let port: UInt16
    /// Without reference identifiers, which differ by next-hop domain: `WarmConnection` judges these by the match.
    private let tls: TLSRequirement
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
        self.tls = requirement.tls.withoutNames
        self.tlsa = requirement.tlsaIdentity
        self.trust = requirement.trust
        self.policy = requirement.policy
        self.protection = protection
    }
}

extension TLSRequirement {
    /// The same for all next-hop domains, and for all orders in which an answer may give the records.
    fileprivate var withoutNames: TLSRequirement {
        guard case .mustAuthenticate(let wanted) = self else { return self }
        let records = wanted.records.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        return .mustAuthenticate(
            DANEAuthentication(records: records, baseDomain: wanted.baseDomain, referenceIdentifiers: []))
    }
}

extension TLSARecord {
    fileprivate var bytes: [UInt8] {
        [self.usage.rawValue, self.selector.rawValue, self.matchingType.rawValue] + self.associationData
    }
}

/// An open connection that has delivered, and what it proved.
public struct WarmConnection: Hashable, Sendable {
    /// What it was opened for.
    public let key: ConnectionReuseKey
    /// The next-hop domain that it was opened for.
    public let nextHopDomain: DomainName?
    /// What the peer proved.
    public let proof: PeerProof
    /// Authentication was owed until the TLS library found none of the key's records usable, so that TLS alone was.
    public let isWithoutUsableRecords: Bool

    /// A connection.
    public init(
        key: ConnectionReuseKey, nextHopDomain: DomainName?, proof: PeerProof, isWithoutUsableRecords: Bool = false
    ) {
        self.key = key
        self.nextHopDomain = nextHopDomain
        self.proof = proof
        self.isWithoutUsableRecords = isWithoutUsableRecords
    }

    /// Whether it may carry mail of `requirement` for another, or the same, next-hop domain.
    public func serves(
        _ key: ConnectionReuseKey, requirement: AttemptRequirement, nextHopDomain: DomainName?
    ) -> Bool {
        guard self.key == key else { return false }
        switch (requirement.tls, self.proof) {
        // The same records, by the key: they are no more usable now, and no name has part in that (RFC 7672 §2.2, rule 14).
        case (.mustAuthenticate, _) where self.isWithoutUsableRecords: return true
        case (.mustAuthenticate(let wanted), .dane(let peer)) where wanted.accepts(peer):
            return self.isFor(nextHopDomain, peer)
        // The name is the operator's, so it is the same whichever domain the mail is for.
        case (.mustVerify(let verification), .authority(let peer)): return peer.verification == verification
        // Reused without proof is a failure.
        case (.mustAuthenticate, _), (.mustVerify, _): return false
        case (.mustEncrypt, _), (.opportunistic, _): return true
        }
    }

    private func isFor(_ nextHopDomain: DomainName?, _ peer: DANEAuthenticatedPeer) -> Bool {
        guard self.nextHopDomain != nextHopDomain else { return true }
        // The name of one customer's domain proves nothing to another's.
        return peer.matched.usage == .daneEE || peer.matchedName == peer.baseDomain.name
    }
}
