import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import MailModel
import NIOPosix
import OperatingSystem
import SwiftProtobuf
import TLSEngine
import Telemetry
import TransportSecurity

/// A replica of the controller on loopback, and its clients.
struct TestReplica: Sendable {
    typealias Client = GRPCClient<GRPCClientTransport>
    typealias NodeClient = ControlNodeService.Client<GRPCClientTransport>
    typealias DomainClient = ControlDomainService.Client<GRPCClientTransport>
    typealias ClusterClient = ControlClusterService.Client<GRPCClientTransport>

    let control: TestControl
    let plane: ControlPlane
    let address: TransportAddress
    let registry: MetricsRegistry
    private let ending: AsyncStream<Void>.Continuation

    init(
        control: TestControl, plane: ControlPlane, address: TransportAddress, registry: MetricsRegistry,
        ending: AsyncStream<Void>.Continuation
    ) {
        self.control = control
        self.plane = plane
        self.address = address
        self.registry = registry
        self.ending = ending
    }

    /// Tells the replica to end.
    func shutDown() { self.ending.finish() }

    /// Runs `body` with a client that proves itself so.
    func with<Result: Sendable>(
        _ proof: ControllerConnection.Proof, at address: TransportAddress? = nil,
        _ body: (Client) async throws -> Result
    ) async throws -> Result {
        try await ControllerConnection(
            addresses: [address ?? self.address], proof, group: MultiThreadedEventLoopGroup.singleton, random: .system
        ).withClient(body)
    }

    func with<Result: Sendable>(
        _ credential: ClusterCredential, _ body: (Client) async throws -> Result
    ) async throws -> Result {
        try await self.with(.credential { credential }, body)
    }

    /// Runs `body` with a client that shows a certificate of the cluster's authority with these names, whatever they are.
    func with<Result: Sendable>(uris: [String], _ body: (Client) async throws -> Result) async throws -> Result {
        let key = try PrivateKey(.p256)
        let now = Timestamp.systemNow
        let certificate = try self.control.authority.issue(
            CertificateRequest(
                commonName: "someone", uris: uris, notBefore: now + .seconds(-300), notAfter: now + .seconds(3600)),
            key: key)
        let shown = try ServerCertificate(
            chainPEM: Array(certificate.pem.utf8), keyPEM: Array(key.pem.utf8), names: [])
        let context = try TLSClientContext(
            authorities: ["cluster": [self.control.authority.certificate]], identity: shown,
            applicationProtocols: ["h2"])
        let host = self.control.name.controllerHost
        let transport = GRPCClientTransport(
            .init(
                addresses: [self.address],
                security: .tls(
                    context, .mustVerify(CertificateVerification(name: host, authorities: .file("cluster")))),
                authority: host.text, random: { 0.5 }), group: MultiThreadedEventLoopGroup.singleton)
        return try await withGRPCClient(transport: transport) { try await body($0) }
    }

    /// A method that is served, by its name.
    func method(_ name: String) -> MethodDescriptor? {
        self.plane.methods.first { $0.fullyQualifiedMethod == name }
    }

    /// Enrols with a token and a key.
    func enroll(
        _ name: String, _ token: JoinToken, key: PrivateKey, role: ControlRole = .unspecified,
        at address: TransportAddress? = nil
    ) async throws -> ControlEnrollResponse {
        let signed = try CertificateSigningRequest.make(key: key, commonName: name)
        return try await self.with(.token(token), at: address) { client in
            try await ControlEnrollmentService.Client(wrapping: client).enroll(
                .with {
                    $0.token = token.text
                    $0.nodeName = name
                    $0.signingRequestDer = Data(signed)
                    $0.role = role
                })
        }
    }
}

/// The status of a call, and what it said; `ok` without words where it succeeded.
func status(_ call: () async throws -> some Sendable) async throws -> (code: Status.Code, message: String) {
    do {
        _ = try await call()
        return (.ok, "")
    } catch let error as RPCError {
        return (Status.Code(error.code), error.message)
    }
}

extension ControlIssuedIdentity {
    /// What its holder shows from now on.
    func credential(_ key: PrivateKey) throws -> ClusterCredential {
        try ClusterCredential(
            key: key, certificate: Certificate(der: Array(self.certificateDer)),
            authorities: self.authoritiesDer.map { try Certificate(der: Array($0)) })
    }
}

extension TestReplica.Client {
    func revoke(_ identity: ClusterIdentity) async throws {
        let fleet = ControlFleetService.Client(wrapping: self)
        switch identity.role {
        case .node: _ = try await fleet.revokeNode(.with { $0.name = identity.name })
        case .admin, .viewer, .controller:
            _ = try await fleet.revokePerson(
                .with {
                    $0.name = identity.name
                    $0.role = identity.role == .admin ? .admin : .viewer
                })
        }
    }
}
