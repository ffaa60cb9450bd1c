package import ClusterModel
package import ControlStore
import Cryptography
package import MailModel

/// Makes a cluster: its authority, and the credential of its first administrator (control 10).
package struct ClusterFounding: Sendable {
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

    /// Throws where there is a cluster, so that nothing is made for one that cannot be.
    package static func check(_ store: ControlStore) async throws {
        guard let cluster = try await store.cluster() else { return }
        throw Self.exists(cluster.name)
    }

    /// An authority and a credential of it; nothing is recorded.
    package func prepare(_ cluster: ClusterName, admin name: String) throws -> CredentialDraft {
        guard let admin = ClusterIdentity(cluster: cluster, role: .admin, name: name) else {
            throw BootstrapError.name(name)
        }
        let now = self.clock.date
        let (authority, row) = try ClusterAuthority.found(cluster, keys: self.keys, isIssuing: true, at: now)
        return try CredentialDraft(
            admin, by: authority, row: row, isNew: true, trusted: [authority.certificate], terms: self.terms, at: now)
    }

    /// Makes the cluster, unless there is one by now.
    package func record(_ draft: CredentialDraft) async throws {
        guard let authority = draft.newAuthority else {
            preconditionFailure("the draft of a new cluster has its authority")
        }
        let cluster = draft.identity.cluster
        let change = ControlChange(
            actor: "relay-controller init", action: "cluster.create", object: "cluster/\(cluster)",
            reason: "first administrator \(draft.identity.name)")
        do {
            try await self.store.create(
                cluster, authority: authority, firstCredential: draft.certificate, key: self.keys.identifier, change)
        } catch {
            throw error.code == .exists ? Self.exists(cluster) as any Error : error
        }
    }

    private static func exists(_ name: ClusterName) -> BootstrapError {
        BootstrapError(
            .exists,
            """
            the database has the cluster \(name) already, and nothing was changed: relay-controller recover gives it another \
            administrator, and relay-controller run starts a replica of it
            """)
    }
}
