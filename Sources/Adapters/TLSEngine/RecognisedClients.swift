public import Cryptography
public import MailModel

/// The clients that a server recognises by their certificates: those that certain authorities issued, and those that are
/// listed by fingerprint.
public struct RecognisedClients: Sendable {
    /// Whose certificates count, if they are for TLS clients and within their dates.
    let authorities: [Certificate]
    /// SHA-256 of certificates or of their public keys; these count whoever issued them, and whatever their dates.
    let fingerprints: Set<[UInt8]>

    /// Clients with a certificate of these authorities, or with one of these fingerprints (SHA-256 of the certificate or of
    /// its SubjectPublicKeyInfo).
    public init(authorities: [Certificate], fingerprints: Set<[UInt8]>) {
        self.authorities = authorities
        self.fingerprints = fingerprints
    }

    /// The same, with the authorities of a PEM file.
    public init(authorityFile: String?, fingerprints: Set<[UInt8]>) throws(CryptographyError) {
        let authorities = try authorityFile.map { path throws(CryptographyError) in
            try Certificate.readAll(file: path)
        }
        self.init(authorities: authorities ?? [], fingerprints: fingerprints)
    }

    /// A mark of this rule that sessions carry: 32 bytes, the same for the same clients.
    var sessionContext: [UInt8] {
        let issued = self.authorities.map { Digests.sha256($0.value.der) }
        let parts = issued.sorted { $0.lexicographicallyPrecedes($1) } + [[0]]
        return Digests.sha256(
            (parts + self.fingerprints.sorted { $0.lexicographicallyPrecedes($1) }).flatMap(\.self))
    }

    /// The client behind a certificate whose key it has shown to hold.
    func recognise(_ certificate: PeerCertificate, isIssuedByAuthority: Bool) -> AuthenticatedClient? {
        let own = Digests.sha256(certificate.der)
        let isListed =
            self.fingerprints.contains(own)
            || self.fingerprints.contains(Digests.sha256(certificate.subjectPublicKeyInfo))
        // Without authorities nothing can have been issued by one of them.
        guard isListed || (isIssuedByAuthority && !self.authorities.isEmpty) else { return nil }
        return AuthenticatedClient(certificate, fingerprint: own)
    }
}

/// Proof that a client holds the key of a certificate that the server recognises. Only a server's handshake makes one.
public struct AuthenticatedClient: Hashable, Sendable {
    /// The certificate's subject on one line, control characters escaped.
    public let subject: String
    /// SHA-256 of the certificate.
    public let fingerprint: [UInt8]
    /// The uniformResourceIdentifiers of the certificate, which name roles in a cluster.
    public let uris: [String]
    /// The end of the certificate, which a connection may outlive.
    public let notAfter: Timestamp

    init(_ certificate: PeerCertificate, fingerprint: [UInt8]) {
        self.subject = certificate.subject
        self.fingerprint = fingerprint
        self.uris = certificate.uris
        self.notAfter = certificate.notAfter
    }
}
