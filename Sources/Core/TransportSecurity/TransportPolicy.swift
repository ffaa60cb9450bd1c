public import MailModel

/// What the operator demands of the hosts of a destination, beside what DANE demands of them.
public enum TransportPolicy: Hashable, Sendable {
    /// Nothing: TLS where it is possible, cleartext otherwise (RFC 7435).
    case opportunistic
    /// TLS, with whomever.
    case encrypt
    /// Authentication by DANE, from the recipient's domain on. A host without secure, usable TLSA records is not used.
    case dane
    /// A certificate that is verified so. Where DANE authenticates the host from the recipient's domain on, that is as good.
    case verify(CertificateVerification)
    /// Nothing, whatever DANE demands: an exception that the operator made until a day.
    case excepted
}

/// How the certificate of a host is verified where the operator asks for that (RFC 5280 §6, RFC 9525 §6).
public struct CertificateVerification: Hashable, Sendable {
    /// The name that it must be for. It goes into SNI, too.
    public let name: DomainName
    /// Who must have issued it.
    public let authorities: TrustedAuthorities

    /// A certificate for this name, of one of these authorities.
    public init(name: DomainName, authorities: TrustedAuthorities) {
        self.name = name
        self.authorities = authorities
    }
}

/// The authorities whose certificates count.
public enum TrustedAuthorities: Hashable, Sendable {
    /// Those that the system trusts.
    case system
    /// Those of a PEM file at this path.
    case file(String)
}

/// Proof that a peer's certificate was verified. Only the TLS engine can make one.
public struct CertifiedPeer: Hashable, Sendable {
    /// How it was verified.
    public let verification: CertificateVerification

    /// For the TLS engine alone, once a handshake has been verified.
    package init(_ verification: CertificateVerification) { self.verification = verification }
}
