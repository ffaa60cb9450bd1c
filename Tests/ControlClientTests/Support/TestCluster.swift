import ClusterModel
import ControlClient
import Cryptography
import MailModel
import OperatingSystem
import TLSEngine
import Testing

/// The authority of a cluster, which gives certificates to whomever a test wants.
struct TestCluster: Sendable {
    let name: ClusterName
    let authority: CertificateAuthority

    init(_ name: String = "lab") throws {
        self.name = try #require(ClusterName(name))
        let now = Timestamp.systemNow
        self.authority = try CertificateAuthority.selfSigned(
            CertificateRequest(
                commonName: "\(name) authority", notBefore: now + .seconds(-300), notAfter: now + .seconds(86_400),
                isAuthority: true),
            key: PrivateKey(.p256))
    }

    /// A token that pins the authority.
    var token: JoinToken {
        JoinToken(
            cluster: self.name, authority: Digests.sha256(self.authority.certificate.value.der),
            secret: [UInt8](repeating: 7, count: 24))
    }

    func certificate(
        of name: String, role: ClusterRole = .node, publicKey: [UInt8], notBefore: Duration = .seconds(-300),
        notAfter: Duration = .seconds(86_400)
    ) throws -> Certificate {
        let identity = try #require(ClusterIdentity(cluster: self.name, role: role, name: name))
        let now = Timestamp.systemNow
        return try self.authority.issue(
            CertificateRequest(
                commonName: name, dnsNames: role == .controller ? [self.name.controllerHost.text] : [],
                uris: [identity.uri], notBefore: now + notBefore, notAfter: now + notAfter),
            subjectPublicKeyInfo: publicKey)
    }

    func credential(
        of name: String = "mx1.example.test", role: ClusterRole = .node, key: PrivateKey? = nil,
        notAfter: Duration = .seconds(86_400)
    ) throws -> ClusterCredential {
        let key = try key ?? PrivateKey(.p256)
        let certificate = try self.certificate(
            of: name, role: role, publicKey: key.subjectPublicKeyInfo, notAfter: notAfter)
        return try ClusterCredential(key: key, certificate: certificate, authorities: [self.authority.certificate])
    }

    /// What a replica of this cluster shows, and whom it recognises.
    func serverCertificates(dnsNames: [String]? = nil) throws -> ServerCertificateStore {
        let key = try PrivateKey(.p256)
        let now = Timestamp.systemNow
        let own = try self.authority.issue(
            CertificateRequest(
                commonName: "controller", dnsNames: dnsNames ?? [self.name.controllerHost.text],
                notBefore: now + .seconds(-300), notAfter: now + .seconds(3600)),
            key: key)
        let chain = own.pem + self.authority.certificate.pem
        return try ServerCertificateStore(
            [ServerCertificate(chainPEM: Array(chain.utf8), keyPEM: Array(key.pem.utf8))],
            applicationProtocols: ["h2"],
            clients: RecognisedClients(authorities: [self.authority.certificate], fingerprints: []))
    }
}
