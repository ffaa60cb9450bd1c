import ClusterModel
import ControlStore
import Foundation
import LabDatabase
import MailModel
import PostgresDriver
import Testing

/// A cluster in a database of its own, and short ways to say what tests do to it.
struct ControlFixture {
    static let cluster = ClusterName("mail-eu")
    static let key = "0123456789abcdef"

    let database: PrivateDatabase
    let store: ControlStore
    let superuser: PostgresPool
    private let control: ControlDatabase

    /// Runs a test on a fresh cluster.
    ///
    /// - Parameter isCreated: whether the cluster is there, or only its schema.
    static func run(
        on server: PrivatePostgres? = nil, size: Int = 4, isCreated: Bool = true,
        _ body: (ControlFixture) async throws -> Void
    ) async throws {
        try await ControlDatabase.with(on: server, size: size) { control in
            let fixture = ControlFixture(
                database: control.database, store: control.store, superuser: control.superuser, control: control)
            if isCreated { try await fixture.create() }
            try await body(fixture)
        }
    }

    /// The connections of another replica, for as long as `body` runs.
    func withReplica<Value>(size: Int = 2, _ body: (ControlStore) async throws -> Value) async throws -> Value {
        let pool = self.control.pool(size: size)
        defer { pool.shutDown() }
        return try await body(ControlStore(pool: pool))
    }

    func create(_ name: String = "mail-eu", by store: ControlStore? = nil, isDryRun: Bool = false) async throws {
        try await (store ?? self.store).create(
            try #require(ClusterName(name)), authority: Self.authority(1),
            firstCredential: try Self.certificate(.admin, "root"),
            key: Self.key, Self.change("cluster.create", "cluster/\(name)", isDryRun: isDryRun))
    }

    // MARK: Values

    /// 32 bytes that stand for a digest.
    static func digest(_ number: Int) -> [UInt8] {
        (0..<8).flatMap { byte in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) ^ UInt8(byte) } }
    }

    static func change(
        _ action: String = "test.change", _ object: String = "test/object", before: String? = nil, after: String? = nil,
        reason: String = "", isDryRun: Bool = false
    ) -> ControlChange {
        ControlChange(
            actor: "relay://mail-eu/admin/root", action: action, object: object, before: before, after: after,
            reason: reason, isDryRun: isDryRun)
    }

    static func authority(_ number: Int, isIssuing: Bool = true) -> AuthorityRow {
        let now = Timestamp.present
        return AuthorityRow(
            certificate: Array("authority \(number)".utf8), sha256: Self.digest(1_000_000 + number),
            sealedKey: Self.sealed("key of authority \(number)"), isIssuing: isIssuing, notBefore: now + .seconds(-300),
            notAfter: now + .seconds(10 * 365 * 86_400))
    }

    /// A certificate that differs from each one made before.
    static func certificate(
        _ role: ClusterRole = .node, _ name: String = "mx1.example.org", key: Int = 1, by authority: Int = 1,
        from: Duration = .seconds(-300),
        until: Duration = .seconds(86_400)
    ) throws -> CertificateRow {
        let number = Int.random(in: 0...Int(Int32.max))
        let cluster = try #require(Self.cluster)
        let identity = try #require(ClusterIdentity(cluster: cluster, role: role, name: name))
        return CertificateRow(
            sha256: Self.digest(number), identity: identity, publicKeySHA256: Self.digest(2_000_000 + key),
            authoritySHA256: Self.authority(authority).sha256, der: Array("certificate \(number)".utf8),
            notBefore: Timestamp.present + from, notAfter: Timestamp.present + until)
    }

    /// As `SealedSecret.encoded` begins.
    static func sealed(_ secret: String, under key: String = Self.key) -> [UInt8] {
        [1] + Array(key.utf8) + Array(secret.utf8)
    }

    static func domain(_ name: String) -> ResourceKey { ResourceKey(type: .domain, name: name) }

    // MARK: Short ways

    /// A token; gives what it is redeemed by.
    @discardableResult
    func token(
        _ number: Int = 1, _ pattern: String = "mx*.example.org", role: ClusterRole = .node, uses: Int = 1,
        lifetime: Duration = .seconds(3600), isDryRun: Bool = false
    ) async throws -> [UInt8] {
        let secret = Self.digest(3_000_000 + number)
        try await self.store.add(
            TokenRow(
                secretSHA256: secret, pattern: try #require(NamePattern(pattern)), role: role, uses: uses,
                expiresAt: try await self.store.databaseTime() + lifetime, createdBy: "relay://mail-eu/admin/root"),
            Self.change("token.create", "token/\(pattern)", isDryRun: isDryRun))
        return secret
    }

    /// Writes one resource, whatever version it has.
    @discardableResult
    func put(
        _ key: ResourceKey, _ content: String?, secret: [UInt8]? = nil, base: UInt64? = nil
    ) async throws -> WriteOutcome {
        try await self.store.write(
            [ResourceWrite(key: key, content: content.map { Array($0.utf8) }, secret: secret, base: base)],
            [Self.change("\(key.type).put", "\(key)", after: content)])
    }

    func count(_ table: String) async throws -> Int64 {
        try await self.superuser.query(Statement("SELECT count(*) FROM control.\(table)")).single().get(0)
    }

    /// All that the schema holds, as text: to see that nothing has changed.
    func everything() async throws -> [String] {
        var all: [String] = []
        for table in try await self.tables() {
            let rows = try await self.superuser.query(Statement("SELECT t::text FROM control.\(table) t ORDER BY 1"))
                .rows
            all += try rows.map { "\(table): \(try $0.get(0, as: String.self))" }
        }
        return all
    }

    /// The tables of the schema, as the catalogue has them.
    func tables() async throws -> [String] {
        let rows = try await self.superuser.query(
            Statement(
                """
                SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'control' AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
                """)
        ).rows
        return try rows.map { try $0.get(0) }
    }
}

extension Timestamp {
    static var present: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}

/// The kind of failure of what fails, and nothing if it does not.
func failure(_ body: () async throws -> Void) async -> ControlStoreError.Code? {
    do {
        try await body()
        return nil
    } catch let error as ControlStoreError {
        return error.code
    } catch {
        return .other
    }
}
