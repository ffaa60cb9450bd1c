package import ClusterModel
package import ControlStore
import Cryptography
package import MailModel

/// Gives a cluster an administrator without the help of another one: the last credential was lost, or everything has expired
/// (control 13).
package struct ClusterRecovery: Sendable {
    private let store: ControlStore
    private let keys: KeyRing
    private let terms: CertificateTerms
    private let clock: any NodeClock

    package init(_ store: ControlStore, keys: KeyRing, terms: CertificateTerms, clock: any NodeClock) {
        self.store = store
        self.keys = keys
        self.terms = terms
        self.clock = clock
    }

    /// A credential of the authority that issues, or of a new one; nothing is recorded.
    package func prepare(admin name: String, newAuthority: Bool) async throws -> CredentialDraft {
        guard let cluster = try await self.store.cluster() else {
            throw BootstrapError(.absent, "the database has no cluster: run relay-controller init")
        }
        guard let admin = ClusterIdentity(cluster: cluster.name, role: .admin, name: name) else {
            throw BootstrapError.name(name)
        }
        return newAuthority ? try self.byNewAuthority(admin) : try await self.byAuthority(admin)
    }

    /// Records it: every other key of this administrator is revoked, and with a new authority every other certificate ends.
    package func record(_ draft: CredentialDraft) async throws {
        let reason = draft.newAuthority == nil ? "another credential" : "a new authority, and a credential of it"
        let change = ControlChange(
            actor: "relay-controller recover", action: "cluster.recover", object: "admin/\(draft.identity.name)",
            reason: reason)
        try await self.store.recover(
            draft.certificate, authority: draft.newAuthority,
            key: draft.newAuthority == nil ? nil : self.keys.identifier, change)
    }

    private func byNewAuthority(_ admin: ClusterIdentity) throws -> CredentialDraft {
        let now = self.clock.date
        let (authority, row) = try ClusterAuthority.found(admin.cluster, keys: self.keys, isIssuing: true, at: now)
        return try CredentialDraft(
            admin, by: authority, row: row, isNew: true, trusted: [authority.certificate], terms: self.terms, at: now)
    }

    private func byAuthority(_ admin: ClusterIdentity) async throws -> CredentialDraft {
        let rows = try await self.store.authorities().filter(\.isTrusted)
        guard let row = rows.first(where: \.isIssuing) else {
            throw BootstrapError(.authorityEnded, "no authority of the cluster issues: run it with --new-authority")
        }
        let now = self.clock.date
        guard now < row.notAfter else {
            throw BootstrapError(
                .authorityEnded,
                """
                the authority of the cluster ended at \(row.notAfter), and it is \(now) here: run it with \
                --new-authority, and give each node a new join token
                """)
        }
        var trusted: [Certificate] = []
        for row in rows { trusted.append(try Certificate(der: row.certificate)) }
        return try CredentialDraft(
            admin, by: try self.open(row), row: row, isNew: false, trusted: trusted, terms: self.terms, at: now)
    }

    private func open(_ row: AuthorityRow) throws -> CertificateAuthority {
        let key = try PrivateKey(der: self.openedKey(of: row))
        return CertificateAuthority(certificate: try Certificate(der: row.certificate), key: key)
    }

    private func openedKey(of row: AuthorityRow) throws -> [UInt8] {
        do {
            return try self.keys.open(row.sealedKey, for: ClusterAuthority.context(of: row.sha256))
        } catch {
            throw BootstrapError(
                .otherKey,
                "\(error.message). If that key is lost, run it with --new-authority, and give each node a new join token"
            )
        }
    }
}
