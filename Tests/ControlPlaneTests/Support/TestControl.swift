import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import ControlStore
import Cryptography
import GRPCCore
import GRPCTransport
import LabDatabase
import LabSupport
import Logging
import MailModel
import NIOCore
import NIOPosix
import OperatingSystem
import ServiceSupport
import Telemetry
import Testing

/// A cluster in a database, with its first administrator.
struct TestControl: Sendable {
    let name: ClusterName
    let database: ControlDatabase
    let keys: KeyRing
    let authority: CertificateAuthority
    let authorityRow: AuthorityRow
    let admin: ClusterCredential

    var store: ControlStore { self.database.store }

    /// Runs `body` with a new cluster, which no replica serves yet.
    static func with<Result: Sendable>(
        _ name: String = "lab", _ body: (TestControl) async throws -> Result
    ) async throws -> Result {
        try await ControlDatabase.with(size: 8) { database in
            try await body(try await TestControl(#require(ClusterName(name)), database))
        }
    }

    /// Runs `body` with a new cluster and one replica.
    static func serving<Result: Sendable>(
        _ name: String = "lab", settings change: (inout ControlPlaneSettings) -> Void = { _ in },
        _ body: (TestControl, TestReplica) async throws -> Result
    ) async throws -> Result {
        try await Self.with(name) { control in
            try await control.withReplica(change) { try await body(control, $0) }
        }
    }

    private init(_ name: ClusterName, _ database: ControlDatabase) async throws {
        let keys = KeyRing(current: .random())
        let (authority, row) = try ClusterAuthority.found(name, keys: keys, isIssuing: true, at: .systemNow)
        let key = try PrivateKey(.p256)
        let identity = try #require(ClusterIdentity(cluster: name, role: .admin, name: "root"))
        let first = try ClusterAuthority.issueFirst(
            identity, publicKey: key.subjectPublicKeyInfo, by: authority, row: row, terms: CertificateTerms(),
            at: .systemNow)
        try await database.store.create(
            name, authority: row, firstCredential: first.row, key: keys.identifier,
            ControlChange(actor: "init", action: "cluster.create", object: "cluster/\(name)"))
        self.name = name
        self.database = database
        self.keys = keys
        self.authority = authority
        self.authorityRow = row
        self.admin = try ClusterCredential(
            key: key, certificate: first.certificate, authorities: [authority.certificate])
    }

    /// Runs `body` while a replica serves this cluster.
    func withReplica<Result: Sendable>(
        _ change: (inout ControlPlaneSettings) -> Void = { _ in }, store: ControlStore? = nil,
        named name: String = "replica-1",
        clock: any NodeClock = .system, log: RecordedLog? = nil, _ body: (TestReplica) async throws -> Result
    ) async throws -> Result {
        var settings = ControlPlaneSettings(
            addresses: [.host("127.0.0.1", port: 0)], replica: name, programVersion: "test")
        change(&settings)
        let registry = MetricsRegistry()
        let ending = AsyncStream.makeStream(of: Void.self)
        let plane = try await ControlPlane(
            settings: settings, store: store ?? self.store, keys: self.keys, clock: clock, random: .system,
            metrics: ControlPlaneMetrics(in: registry), logger: log?.logger ?? .quiet,
            group: MultiThreadedEventLoopGroup.singleton,
            shutdown: Shutdown {
                for await _ in ending.stream {}
            })
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await plane.run() }
            defer { tasks.cancelAll() }
            let port = try #require(await plane.listeningAddresses.first?.port)
            let replica = TestReplica(
                control: self, plane: plane, address: .host("127.0.0.1", port: port), registry: registry,
                ending: ending.continuation)
            return try await body(replica)
        }
    }

    // MARK: Credentials

    func identity(_ role: ClusterRole, _ name: String) throws -> ClusterIdentity {
        try #require(ClusterIdentity(cluster: self.name, role: role, name: name))
    }

    /// A certificate of the cluster, which the database knows nothing of.
    func unrecorded(
        _ role: ClusterRole, _ name: String, key: PrivateKey? = nil, from: Duration = .seconds(-300),
        until: Duration = .seconds(86_400), by authority: CertificateAuthority? = nil
    ) throws -> ClusterCredential {
        let key = try key ?? PrivateKey(.p256)
        let now = Timestamp.systemNow
        let certificate = try (authority ?? self.authority).issue(
            CertificateRequest(
                commonName: name, uris: [try self.identity(role, name).uri], notBefore: now + from,
                notAfter: now + until),
            key: key)
        return try ClusterCredential(
            key: key, certificate: certificate, authorities: [self.authority.certificate])
    }

    /// Somebody who is enrolled.
    func enrolled(
        _ role: ClusterRole, _ name: String, from: Duration = .seconds(-300), until: Duration = .seconds(86_400)
    ) async throws -> ClusterCredential {
        let credential = try self.unrecorded(role, name, from: from, until: until)
        let token = try await self.token(name, role: role)
        let row = CertificateRow(
            credential.certificate, for: credential.identity, authority: self.authorityRow.sha256)
        let redemption = try await self.store.redeem(secretSHA256: Digests.sha256(token.secret), row)
        try #require(redemption == .accepted)
        return credential
    }

    /// A join token, as an administrator makes it.
    func token(
        _ pattern: String, role: ClusterRole = .node, uses: Int = 1, lifetime: Duration = .seconds(3600)
    ) async throws -> JoinToken {
        let token = JoinToken(
            cluster: self.name, authority: self.authorityRow.sha256, secret: RandomBytes.make(JoinToken.secretLength))
        try await self.store.add(
            TokenRow(
                secretSHA256: Digests.sha256(token.secret), pattern: #require(NamePattern(pattern)), role: role,
                uses: uses, expiresAt: .systemNow + lifetime, createdBy: "test"),
            ControlChange(actor: "test", action: "token.create", object: "token/\(pattern)"))
        return token
    }
}
