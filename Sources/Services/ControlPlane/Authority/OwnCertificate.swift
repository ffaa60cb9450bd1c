import ClusterModel
import ControlStore
import Cryptography
import MailModel
import Synchronization
import TLSEngine

/// The certificate of a replica: in memory only, and made by itself (control 13).
final class OwnCertificate: Sendable {
    let store: ServerCertificateStore
    private let identity: ClusterIdentity
    private let renewAfter: Mutex<Timestamp>

    init(
        _ identity: ClusterIdentity, _ standing: ClusterAuthority.Standing, _ terms: CertificateTerms, at now: Timestamp
    ) throws {
        self.identity = identity
        self.store = try ServerCertificateStore(
            [Self.make(identity, standing, terms, at: now)], applicationProtocols: ["h2"],
            clients: Self.clients(standing))
        self.renewAfter = Mutex(terms.dates(of: .controller, issuedAt: now).renewAfter)
    }

    /// Makes another one if it is time for it, or the authorities are others.
    func renew(
        by standing: ClusterAuthority.Standing, isChanged: Bool, _ terms: CertificateTerms, at now: Timestamp
    ) throws {
        guard isChanged || now >= self.renewAfter.withLock({ $0 }) else { return }
        try self.store.replace(
            [Self.make(self.identity, standing, terms, at: now)], clients: Self.clients(standing))
        let next = terms.dates(of: .controller, issuedAt: now).renewAfter
        self.renewAfter.withLock { $0 = next }
    }

    private static func clients(_ standing: ClusterAuthority.Standing) -> RecognisedClients {
        RecognisedClients(authorities: standing.trusted.map(\.certificate), fingerprints: [])
    }

    /// A certificate with its authority's behind it, which a client that knows only the hash of that can check.
    private static func make(
        _ identity: ClusterIdentity, _ standing: ClusterAuthority.Standing, _ terms: CertificateTerms, at now: Timestamp
    ) throws(CryptographyError) -> ServerCertificate {
        let key = try PrivateKey(.p256)
        let certificate = try standing.issuing.issue(
            identity, dnsNames: [identity.cluster.controllerHost.text], subjectPublicKeyInfo: key.subjectPublicKeyInfo,
            terms, at: now)
        let chain = certificate.pem + standing.issuing.certificate.pem
        return try ServerCertificate(chainPEM: Array(chain.utf8), keyPEM: Array(key.pem.utf8))
    }
}

extension ClusterAuthority.HeldAuthority {
    /// A certificate for an identity, which does not outlive the authority.
    func issue(
        _ identity: ClusterIdentity, dnsNames: [String] = [], subjectPublicKeyInfo: [UInt8], _ terms: CertificateTerms,
        at now: Timestamp
    ) throws(CryptographyError) -> Certificate {
        let dates = terms.dates(of: identity.role, issuedAt: now)
        return try self.authority.issue(
            CertificateRequest(
                commonName: String(identity.name.prefix(64)), dnsNames: dnsNames, uris: [identity.uri],
                notBefore: dates.notBefore, notAfter: min(dates.notAfter, self.row.notAfter)),
            subjectPublicKeyInfo: subjectPublicKeyInfo)
    }
}
