package import ClusterModel
package import ControlStore
package import Cryptography
package import MailModel

extension ClusterAuthority {
    /// How long an authority lives.
    package static let lifetime = Duration.seconds(3650 * 86_400)

    /// A new authority for a cluster, with its key sealed. Nothing is recorded.
    package static func found(
        _ cluster: ClusterName, keys: KeyRing, isIssuing: Bool, at now: Timestamp
    ) throws(CryptographyError) -> (authority: CertificateAuthority, row: AuthorityRow) {
        let key = try PrivateKey(.p256)
        // Two authorities of a cluster have two names, so that chains are built by the right one.
        let mark = Digests.sha256(key.subjectPublicKeyInfo).prefix(4).hexadecimal
        let authority = try CertificateAuthority.selfSigned(
            CertificateRequest(
                commonName: "\(cluster) authority \(mark)", notBefore: now + (.zero - CertificateTerms().backdating),
                notAfter: now + Self.lifetime, isAuthority: true),
            key: key)
        let value = authority.certificate.value
        let sha256 = Digests.sha256(value.der)
        let row = AuthorityRow(
            certificate: value.der, sha256: sha256, sealedKey: try keys.seal(key.der, for: Self.context(of: sha256)),
            isIssuing: isIssuing, isTrusted: true, notBefore: value.notBefore, notAfter: value.notAfter)
        return (authority, row)
    }

    /// A certificate by an authority that is not recorded yet: the first administrator's.
    package static func issueFirst(
        _ identity: ClusterIdentity, publicKey: [UInt8], by authority: CertificateAuthority, row: AuthorityRow,
        terms: CertificateTerms, at now: Timestamp
    ) throws(CryptographyError) -> IssuedCertificate {
        let certificate = try HeldAuthority(row: row, authority: authority).issue(
            identity, subjectPublicKeyInfo: publicKey, terms, at: now)
        return IssuedCertificate(
            certificate: certificate, row: CertificateRow(certificate, for: identity, authority: row.sha256))
    }
}
