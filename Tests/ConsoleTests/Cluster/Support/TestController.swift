import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import MailModel
import NIOCore
import NIOPosix
import OperatingSystem
import SwiftProtobuf
import Synchronization
import TLSEngine
import Testing

@testable import Console

/// A controller that keeps everything in memory, on loopback, over TLS. It does what the description of its services promises, as
/// far as commands need it.
final class TestController: Sendable {
    struct State {
        var version: UInt64 = 1
        var domains: [String: ControlVersionedDomain] = [:]
        var lists: [String: [String]] = [:]
        var users: [String: ControlVersionedUser] = [:]
        var hashes: [String: String] = [:]
        var certificates: [String: ControlCertificateSummary] = [:]
        var settings = ControlFleetSettings()
        var settingsVersion: UInt64 = 0
        var nodes: [ControlNode] = []
        var authority = ControlGetAuthorityResponse()
        var leader = "replica-1"
        /// The reasons of changes, in their order.
        var reasons: [String] = []
        var revoked: [String] = []
        /// Requests for tokens.
        var tokens: [ControlCreateJoinTokenRequest] = []
        /// The public keys that enrolled.
        var enrolled: [[UInt8]] = []
        /// So many answers to enrolments are lost.
        var lostAnswers = 0
        var renewals = 0
        /// The version of every resource grows before the next change, as if somebody else were faster.
        var isOvertaken = false
    }

    let name: ClusterName
    let authority: CertificateAuthority
    private let storage = Mutex(State())

    init(_ name: String = "lab") throws {
        self.name = try #require(ClusterName(name))
        let now = Timestamp.systemNow
        self.authority = try CertificateAuthority.selfSigned(
            CertificateRequest(
                commonName: "\(name) authority", notBefore: now + .seconds(-300),
                notAfter: now + .seconds(86_400 * 365),
                isAuthority: true),
            key: PrivateKey(.p256))
        let fingerprint = Data(Digests.sha256(self.authority.certificate.value.der))
        self.state {
            $0.authority.phase = .settled
            $0.authority.authorities = [
                .with {
                    $0.sha256 = fingerprint
                    $0.isIssuing = true
                    $0.notBefore = Google_Protobuf_Timestamp(now)
                    $0.notAfter = Google_Protobuf_Timestamp(now + .seconds(86_400 * 3650))
                }
            ]
        }
    }

    @discardableResult
    func state<Value: Sendable>(_ body: (inout sending State) throws -> sending Value) rethrows -> Value {
        try self.storage.withLock { try body(&$0) }
    }

    // MARK: - Identity

    /// A token that pins the authority.
    var token: JoinToken {
        JoinToken(
            cluster: self.name, authority: Digests.sha256(self.authority.certificate.value.der),
            secret: [UInt8](repeating: 7, count: 24))
    }

    func certificate(
        of name: String, _ role: ClusterRole, publicKey: [UInt8], lived: Duration = .seconds(300),
        lives: Duration = .seconds(86_400)
    ) throws -> Certificate {
        let identity = try #require(ClusterIdentity(cluster: self.name, role: role, name: name))
        let now = Timestamp.systemNow
        return try self.authority.issue(
            CertificateRequest(
                commonName: name, dnsNames: role == .controller ? [self.name.controllerHost.text] : [],
                uris: [identity.uri], notBefore: now + (.zero - lived), notAfter: now + lives),
            subjectPublicKeyInfo: publicKey)
    }

    func credential(
        of name: String = "alice", _ role: ClusterRole = .admin, lived: Duration = .seconds(300),
        lives: Duration = .seconds(86_400)
    ) throws -> ClusterCredential {
        let key = try PrivateKey(.p256)
        let certificate = try self.certificate(
            of: name, role, publicKey: key.subjectPublicKeyInfo, lived: lived, lives: lives)
        return try ClusterCredential(key: key, certificate: certificate, authorities: [self.authority.certificate])
    }

    /// What an enrolment or a renewal gives.
    func issued(_ name: String, _ role: ClusterRole, _ request: Data) throws -> ControlIssuedIdentity {
        let key = try CertificateSigningRequest(der: Array(request)).subjectPublicKeyInfo
        let certificate = try self.certificate(of: name, role, publicKey: key)
        return .with {
            $0.certificateDer = Data(certificate.value.der)
            $0.authoritiesDer = [Data(self.authority.certificate.value.der)]
            $0.notAfter = Google_Protobuf_Timestamp(certificate.value.notAfter)
        }
    }

    private func serverCertificates() throws -> ServerCertificateStore {
        let key = try PrivateKey(.p256)
        let own = try self.certificate(of: "replica-1", .controller, publicKey: key.subjectPublicKeyInfo)
        let chain = own.pem + self.authority.certificate.pem
        return try ServerCertificateStore(
            [ServerCertificate(chainPEM: Array(chain.utf8), keyPEM: Array(key.pem.utf8))],
            applicationProtocols: ["h2"],
            clients: RecognisedClients(authorities: [self.authority.certificate], fingerprints: []))
    }

    // MARK: - Serving

    /// Runs `body` while it serves, with the port.
    func serving<Value: Sendable>(_ body: (ControllerAddress) async throws -> Value) async throws -> Value {
        let listener = GRPCServerTransport(
            .init(
                addresses: [.host("127.0.0.1", port: 0)], security: .tls(try self.serverCertificates()),
                random: { 0.5 }), group: MultiThreadedEventLoopGroup.singleton)
        let services: [any RegistrableRPCService] = [
            TestDomains(controller: self), TestUsers(controller: self), TestCertificates(controller: self),
            TestFleet(controller: self), TestCluster(controller: self), TestEnrollment(controller: self),
        ]
        let server = GRPCServer(transport: listener, services: services)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.serve() }
            defer { tasks.cancelAll() }
            let port = try #require(await listener.listeningAddresses.first?.port)
            return try await body(try #require(ControllerAddress("127.0.0.1:\(port)")))
        }
    }
}

extension TestController.State {
    /// Makes a change: the new version, unless it was made on another one.
    mutating func changed(
        _ current: UInt64, base: UInt64?, _ context: ControlChangeContext
    ) throws -> UInt64 {
        guard base == nil || base == current else {
            throw RPCError(code: .aborted, message: "it has changed meanwhile")
        }
        self.reasons.append(context.reason)
        if !context.dryRun { self.version += 1 }
        return self.version
    }
}

/// Who calls, by the certificate of the connection.
func caller(_ context: ServerContext) throws -> ClusterIdentity {
    let peer = context.transportSpecific as? ConnectionPeer
    guard let uri = peer?.security?.client?.uris.first, let identity = ClusterIdentity(uri: uri) else {
        throw RPCError(code: .unauthenticated, message: "this method needs a certificate of the cluster")
    }
    return identity
}

/// Admins may, and nobody else.
func needAdmin(_ context: ServerContext) throws {
    guard try caller(context).role == .admin else {
        throw RPCError(code: .permissionDenied, message: "that takes the role admin")
    }
}
