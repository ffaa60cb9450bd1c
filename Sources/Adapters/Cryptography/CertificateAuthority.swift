public import MailModel

/// What a new certificate is to say.
public struct CertificateRequest: Hashable, Sendable {
    /// The common name of its subject.
    public var commonName: String
    /// dNSName entries of its subject alternative names; wildcards are fine.
    public var dnsNames: [String]
    /// uniformResourceIdentifier entries of its subject alternative names.
    public var uris: [String]
    /// First and last moment of validity.
    public var notBefore, notAfter: Timestamp
    /// Whether it may sign others.
    public var isAuthority: Bool

    /// A request for a leaf certificate, unless `isAuthority`.
    public init(
        commonName: String, dnsNames: [String] = [], uris: [String] = [], notBefore: Timestamp, notAfter: Timestamp,
        isAuthority: Bool = false
    ) {
        self.commonName = commonName
        self.dnsNames = dnsNames
        self.uris = uris
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.isAuthority = isAuthority
    }
}

/// A certificate with its key, which issues others: the cluster's CA, and every CA and server of the lab.
public struct CertificateAuthority: Sendable {
    /// Its own certificate.
    public let certificate: Certificate
    /// Its key.
    public let key: PrivateKey

    /// An authority from a certificate and key that exist already.
    public init(certificate: Certificate, key: PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    /// Makes a certificate that signs itself: a root, or a lone server certificate.
    public static func selfSigned(
        _ request: CertificateRequest, key: PrivateKey
    ) throws(CryptographyError)
        -> CertificateAuthority
    {
        let certificate = try CertificateIssuing.make(
            request, subjectPublicKeyInfo: key.subjectPublicKeyInfo, issuer: .itself(key))
        return CertificateAuthority(certificate: certificate, key: key)
    }

    /// Issues a certificate over a public key in DER, whose private half need not be known here.
    public func issue(
        _ request: CertificateRequest, subjectPublicKeyInfo: [UInt8]
    ) throws(CryptographyError)
        -> Certificate
    {
        try CertificateIssuing.make(request, subjectPublicKeyInfo: subjectPublicKeyInfo, issuer: .authority(self))
    }

    /// Issues a certificate over the public half of `key`.
    public func issue(_ request: CertificateRequest, key: PrivateKey) throws(CryptographyError) -> Certificate {
        try self.issue(request, subjectPublicKeyInfo: key.subjectPublicKeyInfo)
    }
}
