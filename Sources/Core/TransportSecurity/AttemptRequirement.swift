public import DANE
public import MailModel

/// What one attempt to deliver to one host must prove before any mail is sent.
///
/// DANE alone decides so far. MTA-STS and REQUIRETLS join in `init(_:)`: they may add to `tls`, never take from it.
public struct AttemptRequirement: Hashable, Sendable {
    /// What TLS owes the message.
    public enum TLS: Hashable, Sendable {
        /// Authenticate by DANE, or do not deliver here.
        case mustAuthenticate(DANEAuthentication)
        /// Encrypt, or do not deliver here.
        case mustEncrypt
        /// Encrypt where possible; cleartext otherwise (RFC 7435).
        case opportunistic
    }

    /// What TLS owes the message.
    public let tls: TLS
    /// The name for SNI: the TLSA base domain where there is one (rule 20), else the host's; `nil` for an address literal.
    public let serverName: DomainName?
    /// From where on the requirement can be trusted.
    public let trust: RouteTrust
    /// The TLSA RRset behind it.
    public let tlsaIdentity: TLSARecordSetIdentity?

    /// What `host` must prove, or why it must be skipped.
    public static func of(_ host: PlannedHost) -> Result<AttemptRequirement, HostSkipped> {
        if let failure = host.failure { return .failure(HostSkipped(reason: TransportFailure(failure))) }
        let tls: TLS
        switch host.requirement {
        case .authenticate(let authentication): tls = .mustAuthenticate(authentication)
        case .encrypt: tls = .mustEncrypt
        case .opportunistic: tls = .opportunistic
        // Planning always gives the reason; without one this is still never a host to deliver to.
        case .unavailable: return .failure(HostSkipped(reason: .dnssecInvalid))
        }
        return .success(
            AttemptRequirement(
                tls: tls, serverName: host.tlsa?.baseDomain.name ?? host.name, trust: host.trust,
                tlsaIdentity: host.tlsa?.identity))
    }

    /// What is left where the TLS library, too, is asked about the records and finds none of them usable: TLS is mandatory,
    /// authentication is not (RFC 7672 §2.2, rule 14).
    public var withoutUsableRecords: AttemptRequirement {
        AttemptRequirement(
            tls: .mustEncrypt, serverName: self.serverName, trust: self.trust, tlsaIdentity: self.tlsaIdentity)
    }

    /// A requirement.
    public init(
        tls: TLS, serverName: DomainName?, trust: RouteTrust = .unprotected,
        tlsaIdentity: TLSARecordSetIdentity? = nil
    ) {
        self.tls = tls
        self.serverName = serverName
        self.trust = trust
        self.tlsaIdentity = tlsaIdentity
    }
}

/// The host must not be connected to.
public struct HostSkipped: Error, Hashable {
    /// Why.
    public let reason: TransportFailure

    /// The host must not be connected to, for this reason.
    public init(reason: TransportFailure) { self.reason = reason }
}

/// How a delivery was protected: `auth=dane|tls|none` in logs and traces.
public enum AuthenticationLabel: String, Hashable, Sendable, CaseIterable {
    /// Authenticated by DANE, and every look-up from the recipient's domain on was secure.
    case dane
    /// Encrypted; also where DANE authenticated a host that an insecure MX RRset had named (rule 7).
    case tls
    /// In clear.
    case none
}
