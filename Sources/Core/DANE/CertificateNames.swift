public import MailModel

/// The names that a certificate claims, as its issuer wrote them: text of the peer's, not yet names.
public struct CertificateNames: Hashable, Sendable {
    /// The DNS names among the subject alternative names, wildcards included.
    public let dnsNames: [String]
    /// The subject's common name, if it has just one.
    public let commonName: String?

    /// The names of one certificate.
    public init(dnsNames: [String], commonName: String? = nil) {
        self.dnsNames = dnsNames
        self.commonName = commonName
    }

    /// The first of `referenceIdentifiers` that the certificate is for (RFC 6125 §6.4). The common name counts only
    /// where there is no DNS name at all (rule 17).
    public func firstMatch(among referenceIdentifiers: [DomainName]) -> DomainName? {
        let presented = self.dnsNames.isEmpty ? self.commonName.map { [$0] } ?? [] : self.dnsNames
        return referenceIdentifiers.first { reference in presented.contains { Self.matches($0, reference) } }
    }

    /// Whether one presented name covers `reference`. A wildcard stands for exactly one label, and only as the whole
    /// leftmost one. Below it must be at least two labels, so that nobody holds a whole top-level domain.
    static func matches(_ presented: String, _ reference: DomainName) -> Bool {
        guard presented.hasPrefix("*.") else { return DomainName(presented) == reference }
        guard let parent = DomainName(presented.dropFirst(2)), parent.labels.count >= 2 else { return false }
        return reference.labels.dropFirst().elementsEqual(parent.labels)
    }
}
