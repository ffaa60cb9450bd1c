package import ClusterModel
package import ControlStore
import Cryptography
package import MailModel
import ServiceSupport
import Synchronization
package import TLSEngine

/// The authorities of the cluster as this replica holds them: it issues by one of them, and shows a certificate of that one itself.
///
/// Keys of authorities are sealed in the database and open only here, in memory. So is the replica's own key, which it makes at each
/// start (control 13).
package final class ClusterAuthority: Sendable {
    /// What the database says of a rotation, with the keys opened.
    struct Standing: Sendable {
        let phase: RotationPhase
        let issuing: HeldAuthority
        /// Those whose certificates are trusted, the issuing one first.
        let trusted: [HeldAuthority]
    }

    /// An authority with its key.
    struct HeldAuthority: Sendable {
        let row: AuthorityRow
        let authority: CertificateAuthority

        var certificate: Certificate { self.authority.certificate }
    }

    package let cluster: ClusterName
    let terms: CertificateTerms
    let store: ControlStore
    let keys: KeyRing
    let clock: any NodeClock
    private let standing: Replaceable<Standing>
    private let own: OwnCertificate

    /// Reads the authorities, and issues the replica its certificate, whatever became of an earlier one.
    package init(
        cluster: ClusterName, replica: String, terms: CertificateTerms, store: ControlStore, keys: KeyRing,
        clock: any NodeClock
    ) async throws {
        guard let identity = ClusterIdentity(cluster: cluster, role: .controller, name: replica) else {
            throw ControlPlaneError("a replica is named as a host is, in lower case, and not \(replica)")
        }
        let standing = try await Self.read(store, keys)
        self.cluster = cluster
        self.terms = terms
        self.store = store
        self.keys = keys
        self.clock = clock
        self.standing = Replaceable(standing)
        self.own = try OwnCertificate(identity, standing, terms, at: clock.date)
    }

    /// The certificates that the replica shows, and whose clients it recognises.
    package var serverCertificates: ServerCertificateStore { self.own.store }

    /// The authorities and the phase of a rotation, as they were read last.
    var current: Standing { self.standing.current }

    /// The end of the issuing authority, for an alarm (control 14).
    package var notAfter: Timestamp { self.current.issuing.row.notAfter }

    /// When the issuing authority began.
    package var notBefore: Timestamp { self.current.issuing.row.notBefore }

    /// Takes over what the database says now, and renews the replica's certificate when it is due or of another authority.
    package func refresh() async throws {
        let next = try await Self.read(self.store, self.keys, unlessStill: self.current)
        if let next { self.standing.replace(with: next) }
        try self.own.renew(by: next ?? self.current, isChanged: next != nil, self.terms, at: self.clock.date)
    }

    // MARK: Reading

    private static func read(_ store: ControlStore, _ keys: KeyRing) async throws -> Standing {
        guard let standing = try await self.read(store, keys, unlessStill: nil) else {
            throw ControlPlaneError("the cluster is not initialised")
        }
        return standing
    }

    /// What the database says; `nil` if it is what is held already.
    private static func read(
        _ store: ControlStore, _ keys: KeyRing, unlessStill held: Standing?
    ) async throws -> Standing? {
        guard let cluster = try await store.cluster() else {
            throw ControlPlaneError("the cluster is not initialised: run relay-controller init")
        }
        let rows = try await store.authorities().filter { $0.isTrusted || $0.isIssuing }
        if let held, held.phase == cluster.phase, Self.isSame(rows, held) { return nil }
        let all = try rows.map { row in
            // A key that is held stays as it is.
            try held?.trusted.first { $0.row.sha256 == row.sha256 }.map {
                HeldAuthority(row: row, authority: $0.authority)
            }
                ?? HeldAuthority(row: row, authority: Self.open(row, keys))
        }
        guard let issuing = all.first(where: \.row.isIssuing) else {
            throw ControlPlaneError("no authority of the cluster issues; see relay-controller recover")
        }
        let others = all.filter { $0.row.sha256 != issuing.row.sha256 }
        return Standing(phase: cluster.phase, issuing: issuing, trusted: [issuing] + others)
    }

    private static func isSame(_ rows: [AuthorityRow], _ held: Standing) -> Bool {
        Set(rows.map(\.sha256)) == Set(held.trusted.map(\.row.sha256))
            && rows.first { $0.isIssuing }?.sha256 == held.issuing.row.sha256
    }

    private static func open(_ row: AuthorityRow, _ keys: KeyRing) throws -> CertificateAuthority {
        let key = try PrivateKey(der: keys.open(row.sealedKey, for: Self.context(of: row.sha256)))
        return CertificateAuthority(certificate: try Certificate(der: row.certificate), key: key)
    }

    /// What the key of an authority is sealed for.
    static func context(of sha256: [UInt8]) -> String { "authority/\(sha256.hexadecimal)" }
}
