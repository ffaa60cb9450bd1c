package import DNSModel
public import MailModel

/// A certificate as a value: what the pure explainer needs to say why a record matched or did not.
public struct PeerCertificate: Hashable, Sendable {
    /// The whole certificate in DER, what selector 0 is about.
    public let der: [UInt8]
    /// Its SubjectPublicKeyInfo in DER, what selector 1 is about.
    public let subjectPublicKeyInfo: [UInt8]
    /// Valid from this moment.
    public let notBefore: Timestamp
    /// Valid until this moment.
    public let notAfter: Timestamp
    /// The dNSName entries of its subject alternative names as they stand, wildcards included; at most 1,000.
    public let dnsNames: [String]
    /// The uniformResourceIdentifier entries of its subject alternative names, such as the roles of a cluster's clients.
    public let uris: [String]
    /// The last common name of its subject, if it is text.
    public let commonName: String?
    /// Subject and issuer on one line each (RFC 2253), for people; control characters are escaped.
    public let subject, issuer: String
}

extension PeerCertificate {
    /// The TLSA record that associates this certificate (RFC 6698 §2.1); an unknown matching type gives empty data.
    package func tlsaRecord(
        usage: TLSARecord.CertificateUsage, selector: TLSARecord.Selector, matchingType: TLSARecord.MatchingType
    ) -> TLSARecord {
        let content = selector == .cert ? self.der : self.subjectPublicKeyInfo
        let data: [UInt8] =
            switch matchingType {
            case .full: content
            case .sha256: Digests.sha256(content)
            case .sha512: Digests.sha512(content)
            default: []
            }
        return TLSARecord(usage: usage, selector: selector, matchingType: matchingType, associationData: data)
    }
}
