package import ClusterModel
package import Cryptography
import MailModel
package import OperatingSystem

/// What a node or a person shows a controller: a key, its certificate of the cluster, and the authorities that the controller's
/// certificate must be of.
package struct ClusterCredential: Sendable {
    /// The most bytes of a file with one.
    static let maximumBytes = 256 << 10

    /// Who the certificate names.
    package let identity: ClusterIdentity
    package let key: PrivateKey
    package let certificate: Certificate
    /// Those of the cluster: two during a rotation. At least one.
    package let authorities: [Certificate]
    /// Key and certificate, as TLS shows them.
    let shown: ServerCertificate

    /// A credential of parts that must belong together.
    package init(
        key: PrivateKey, certificate: Certificate, authorities: [Certificate]
    ) throws(ClusterCredentialError) {
        let identities = certificate.value.uris.compactMap { ClusterIdentity(uri: $0) }
        guard identities.count == 1 else {
            throw ClusterCredentialError(
                .foreign, "the certificate (\(certificate.value.subject)) does not name one identity of a cluster")
        }
        guard !authorities.isEmpty else {
            throw ClusterCredentialError(.damaged, "the certificates of the cluster's authorities are missing")
        }
        do {
            self.shown = try ServerCertificate(
                chainPEM: Array(certificate.pem.utf8), keyPEM: Array(key.pem.utf8), names: [])
        } catch {
            throw ClusterCredentialError(.damaged, error.message)
        }
        self.identity = identities[0]
        self.key = key
        self.certificate = certificate
        self.authorities = authorities
    }

    /// Reads what `pem` makes.
    package init(pem: [UInt8]) throws(ClusterCredentialError) {
        let key: PrivateKey
        let certificates: [Certificate]
        do {
            key = try PrivateKey(pem: pem)
            certificates = try Certificate.readAll(pem: pem)
        } catch {
            throw ClusterCredentialError(.damaged, error.message)
        }
        try self.init(key: key, certificate: certificates[0], authorities: Array(certificates.dropFirst()))
    }

    /// Reads a file. One that others than owner and group can read or change is refused.
    package init(file path: String) throws(ClusterCredentialError) {
        let bytes: [UInt8]
        do throws(BoundedFile.Fault) {
            bytes = try BoundedFile.read(path, limit: Self.maximumBytes, isSecret: true).bytes
        } catch {
            throw ClusterCredentialError(.unreadable, "\(path): \(error)")
        }
        do {
            try self.init(pem: bytes)
        } catch {
            throw ClusterCredentialError(error.code, "\(path): \(error.message)")
        }
    }

    /// The key in PKCS #8, then the certificate, then those of the authorities.
    package var pem: String { ([self.key.pem, self.certificate.pem] + self.authorities.map(\.pem)).joined() }

    /// Writes the file that `init(file:)` reads: mode 0600, as a whole or not at all.
    package func write(to path: String) throws(PrivateFile.Fault) {
        try PrivateFile.replace(path, with: Array(self.pem.utf8))
    }
}

/// Why there is no credential.
package typealias ClusterCredentialError = CodedError<ClusterCredentialFault>

package enum ClusterCredentialFault: Hashable, Sendable {
    /// The file cannot be read, or others can.
    case unreadable
    /// Not what was written once: parts are missing, or do not belong together.
    case damaged
    /// A whole certificate, but not one of a cluster, or of another one.
    case foreign
}
