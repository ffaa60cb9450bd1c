import Cryptography
import DANE
import DNSModel
import Foundation
import GRPCCore
import GRPCTransport
import LabSupport
import MailModel
import NIOCore
import NIOPosix
import OperatingSystem
import Synchronization
import TLSEngine
import TransportSecurity

/// The authority of a cluster, and who has certificates of it.
struct ClusterPKI {
    static let host = "controller.lab.internal"
    let authority: CertificateAuthority
    private let now: Timestamp

    init(now: Timestamp = .systemNow) throws {
        self.now = now
        self.authority = try .selfSigned(
            CertificateRequest(
                commonName: "lab authority", notBefore: now + .seconds(-3_600), notAfter: now + .seconds(86_400 * 365),
                isAuthority: true), key: PrivateKey(.p256))
    }

    /// A certificate for a day that ends in so many seconds, with the authority's in its chain.
    func issue(
        _ commonName: String, _ uri: String, dnsNames: [String] = [], endsIn seconds: Int = 43_200
    ) throws -> ServerCertificate {
        let key = try PrivateKey(.p256)
        let end = self.now + .seconds(seconds)
        let certificate = try self.authority.issue(
            CertificateRequest(
                commonName: commonName, dnsNames: dnsNames, uris: [uri], notBefore: end + .seconds(-86_400),
                notAfter: end), key: key)
        return try ServerCertificate(
            chainPEM: Array((certificate.pem + self.authority.certificate.pem).utf8), keyPEM: Array(key.pem.utf8))
    }

    func node(_ name: String, endsIn seconds: Int = 43_200) throws -> ServerCertificate {
        try self.issue(name, "relay://lab/node/\(name)", endsIn: seconds)
    }

    func controller(_ name: String = "c1") throws -> ServerCertificate {
        try self.issue(name, "relay://lab/controller/\(name)", dnsNames: [Self.host])
    }

    // MARK: Servers and clients

    func store(_ certificate: ServerCertificate) throws -> ServerCertificateStore {
        try ServerCertificateStore([certificate], applicationProtocols: ["h2"], clients: self.clients)
    }

    var clients: RecognisedClients { RecognisedClients(authorities: [self.authority.certificate], fingerprints: []) }

    /// What a client does that knows the authority.
    func known(_ identity: ServerCertificate?) throws -> GRPCClientTransport.Security {
        .tls(try self.context(identity), try Self.byAuthority)
    }

    func context(
        _ identity: ServerCertificate?, and others: [Certificate] = []
    ) throws -> TLSClientContext {
        try TLSClientContext(
            authorities: ["cluster": [self.authority.certificate] + others], identity: identity,
            applicationProtocols: ["h2"])
    }

    static var byAuthority: TLSRequirement {
        get throws { .mustVerify(CertificateVerification(name: try Self.name, authorities: .file("cluster"))) }
    }

    /// What a client does that knows the authority's hash alone (RFC 7671 §5.2).
    func pinned() throws -> GRPCClientTransport.Security {
        let record = TLSARecord(
            usage: .daneTA, selector: .cert, matchingType: .sha256,
            associationData: Digests.sha256(self.authority.certificate.value.der))
        let name = try Self.name
        return .tls(
            try TLSClientContext(applicationProtocols: ["h2"]),
            .mustAuthenticate(
                DANEAuthentication(
                    records: [record], baseDomain: TLSABaseDomain(name), referenceIdentifiers: [name])))
    }

    private static var name: DomainName {
        get throws {
            guard let name = DomainName(Self.host) else { throw LabFailure("no name") }
            return name
        }
    }
}

/// A server with TLS, and what clients of it see.
struct ClusterServer {
    let port: Int

    /// Runs a server with this store beside `body`.
    static func run<Value: Sendable>(
        _ store: ServerCertificateStore, _ body: (ClusterServer) async throws -> Value
    ) async throws -> Value {
        let configuration = GRPCServerTransport.Configuration(
            addresses: [.host("127.0.0.1", port: 0)], security: .tls(store), random: { 0.5 })
        return try await withInteropServer(configuration) { _, addresses in
            try await body(ClusterServer(port: addresses.first?.port ?? 0))
        }
    }

    func client(_ security: GRPCClientTransport.Security) -> GRPCClientTransport {
        var configuration = GRPCClientTransport.Configuration(
            addresses: [.host("127.0.0.1", port: self.port)], security: security, authority: ClusterPKI.host,
            random: { 0.5 })
        configuration.backoff.first = .milliseconds(50)
        return GRPCClientTransport(configuration, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// Whom a handler takes the client for, or why the client has no connection.
    func who(_ security: GRPCClientTransport.Security) async throws -> String {
        try await BareTransport.with(self.client(security)) { client in
            do {
                return try await Self.who(client)
            } catch let error as RPCError { return "\(error.code): \(error.message)" }
        }
    }

    static func who(_ client: GRPCClientTransport) async throws -> String {
        let parts = try await client.parts("UnaryCall", [[]], metadata: ["x-who": "1"], waitForReady: false)
        if let status = parts.status, status.code != .ok { return "\(status)" }
        return String(decoding: parts.messages.first ?? [], as: UTF8.self)
    }
}
