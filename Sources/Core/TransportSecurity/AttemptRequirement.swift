public import DANE
public import MailModel
public import Routing

/// What one attempt to deliver to one host must prove before any mail is sent.
///
/// DANE and the operator's policy decide so far. MTA-STS and REQUIRETLS join in `of(_:by:)`: they may add to `tls`, never take
/// from it.
public struct AttemptRequirement: Hashable, Sendable {
    /// What TLS owes the message.
    public let tls: TLSRequirement
    /// The name for SNI: that which a certificate is verified for; else the TLSA base domain where there is one (rule
    /// 20), else the host's. It is `nil` for an address.
    public let serverName: DomainName?
    /// From where on the requirement can be trusted.
    public let trust: RouteTrust
    /// The TLSA RRset behind it.
    public let tlsaIdentity: TLSARecordSetIdentity?
    /// What the operator demands.
    public let policy: TransportPolicy

    /// What `host` must prove, or why it must be skipped. The policy adds to what DANE demands, and takes from it only by an
    /// exception. A look-up that failed has no exception: nobody knows where the host is.
    public static func of(
        _ host: PlannedHost, by policy: TransportPolicy
    ) -> Result<AttemptRequirement, HostSkipped> {
        if let failure = host.failure { return .failure(HostSkipped(reason: FailureReason(failure))) }
        let tls: TLSRequirement
        switch (host.requirement, policy) {
        // Planning always gives the reason; without one this is still never a host to deliver to.
        case (.unavailable, _): return .failure(HostSkipped(reason: .dnssecInvalid))
        case (_, .excepted): tls = .opportunistic
        // Whoever made up an insecure MX record could have named a host of theirs, with TLSA records.
        case (.authenticate, .dane) where host.trust != .endToEnd: return .failure(.withoutDANE)
        case (.authenticate, .verify(let verification)) where host.trust != .endToEnd: tls = .mustVerify(verification)
        case (.authenticate(let authentication), _): tls = .mustAuthenticate(authentication)
        case (.encrypt, .dane), (.opportunistic, .dane): return .failure(.withoutDANE)
        case (.encrypt, .verify(let verification)), (.opportunistic, .verify(let verification)):
            tls = .mustVerify(verification)
        case (.encrypt, _), (.opportunistic, .encrypt): tls = .mustEncrypt
        case (.opportunistic, .opportunistic): tls = .opportunistic
        }
        return .success(
            AttemptRequirement(
                tls: tls, serverName: host.tlsa?.baseDomain.name ?? host.name, trust: host.trust,
                tlsaIdentity: host.tlsa?.identity, policy: policy))
    }

    /// What is left where the TLS library, too, is asked about the records and finds none of them usable. TLS is
    /// mandatory, authentication is not (RFC 7672 §2.2, rule 14), unless the policy asks for it. `nil` where it asks
    /// for DANE: then nothing is left, and the host is not used.
    public var withoutUsableRecords: AttemptRequirement? {
        let tls: TLSRequirement
        switch self.policy {
        case .dane: return nil
        case .verify(let verification): tls = .mustVerify(verification)
        case .opportunistic, .encrypt, .excepted: tls = .mustEncrypt
        }
        return AttemptRequirement(
            tls: tls, serverName: self.serverName, trust: self.trust, tlsaIdentity: self.tlsaIdentity,
            policy: self.policy)
    }

    /// A requirement.
    public init(
        tls: TLSRequirement, serverName: DomainName?, trust: RouteTrust = .unprotected,
        tlsaIdentity: TLSARecordSetIdentity? = nil, policy: TransportPolicy = .opportunistic
    ) {
        self.tls = tls
        self.serverName = if case .mustVerify(let verification) = tls { verification.name } else { serverName }
        self.trust = trust
        self.tlsaIdentity = tlsaIdentity
        self.policy = policy
    }
}

/// The host must not be connected to.
public struct HostSkipped: Error, Hashable {
    /// Why.
    public let reason: FailureReason
    /// More of it, for people; empty where the reason is that of a look-up.
    public let detail: String

    /// The host must not be connected to, for this reason.
    public init(reason: FailureReason, detail: String = "") {
        self.reason = reason
        self.detail = detail
    }

    /// The operator asks for DANE, and the host has none that counts.
    static let withoutDANE = HostSkipped(
        reason: .dnssecInvalid,
        detail: "tls: dane is set, and the host has no secure, usable TLSA records of a secure route")
}
