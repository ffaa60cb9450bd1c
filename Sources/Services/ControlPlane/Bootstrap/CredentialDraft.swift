package import ClusterModel
import ControlStore
import Cryptography
package import MailModel

/// The credential of an administrator, issued and not recorded.
///
/// It is written to its file first: a credential that the cluster knows and nobody has would be of no use.
package struct CredentialDraft: Sendable {
    package let identity: ClusterIdentity
    /// The key, its certificate, and those of the authorities. It is a secret.
    package let pem: String
    /// The end of the certificate.
    package let notAfter: Timestamp
    let certificate: CertificateRow
    /// An authority that is recorded with it.
    let newAuthority: AuthorityRow?

    /// Makes a key, and has it certified.
    init(
        _ identity: ClusterIdentity, by authority: CertificateAuthority, row: AuthorityRow, isNew: Bool,
        trusted: [Certificate], terms: CertificateTerms, at now: Timestamp
    ) throws(CryptographyError) {
        let key = try PrivateKey(.p256)
        let issued = try ClusterAuthority.issueFirst(
            identity, publicKey: key.subjectPublicKeyInfo, by: authority, row: row, terms: terms, at: now)
        self.identity = identity
        self.pem = ([key.pem, issued.certificate.pem] + trusted.map(\.pem)).joined()
        self.notAfter = issued.row.notAfter
        self.certificate = issued.row
        self.newAuthority = isNew ? row : nil
    }
}

/// Why a cluster was not made, or not recovered.
package struct BootstrapError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// There is a cluster, and it is not overwritten (control 10).
        case exists
        /// There is none.
        case absent
        /// No person may be called so.
        case name
        /// The authority has ended.
        case authorityEnded
        /// The key under which something is sealed is not among those given.
        case otherKey
    }

    package let code: Code
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    static func name(_ name: String) -> BootstrapError {
        BootstrapError(
            .name, "\(name) cannot be the name of a person: it has 1 to 128 of a to z, 0 to 9 and the signs . _ @ -")
    }
}
