public import ClusterModel
public import MailModel
import PostgresDriver

/// The cluster, as it is now.
public struct ClusterRow: Hashable, Sendable {
    /// Its name.
    public let name: ClusterName
    /// The version of the state that nodes serve by, from 1.
    public let stateVersion: UInt64
    /// The phase of a rotation of the authority.
    public let phase: RotationPhase
    /// Counts the changes of what is revoked.
    public let revocationVersion: UInt64
    /// Names the key under which secrets are sealed.
    public let keyIdentifier: String
    /// When it was made.
    public let createdAt: Timestamp
}

extension ControlStore {
    /// The cluster; `nil` where none was made. It is one row, and cheap to ask for often.
    public func cluster() async throws(ControlStoreError) -> ClusterRow? {
        let found = try await self.rows(
            "SELECT name, state_version, phase, revocation_version, key_identifier, created_at FROM control.cluster")
        guard let row = found.rows.first else { return nil }
        guard let name = ClusterName(try row.value(0)), let phase = RotationPhase(rawValue: try row.value(2)) else {
            throw ControlStoreError(.other, "the stored cluster has no proper name or phase")
        }
        return ClusterRow(
            name: name, stateVersion: try row.version(1), phase: phase, revocationVersion: try row.version(3),
            keyIdentifier: try row.value(4), createdAt: try row.moment(5))
    }

    /// Makes the cluster, with its authority and the first credential of a person.
    ///
    /// Throws `.exists` if there is one already, whoever made it (control 10).
    public func create(
        _ name: ClusterName, authority: AuthorityRow, firstCredential: CertificateRow, key identifier: String,
        _ change: ControlChange
    ) async throws(ControlStoreError) {
        let begin = { (request: PostgresUUID) in
            Statement("SELECT control.create_cluster($1, $2, $3)", request, name.text, identifier)
        }
        _ = try await self.change(
            [change], begin: begin, [try authority.insertion(), try firstCredential.holding()])
    }

    /// Gives a person a credential without a token, and the cluster another authority if wanted (control 13).
    ///
    /// A new authority ends every certificate of the former ones, and every rotation that was under way.
    ///
    /// - Parameters:
    ///   - credential: of an admin; other keys of this name are revoked.
    ///   - authority: signs from now on, and nobody else is trusted.
    ///   - identifier: names the key under which the new authority's key is sealed, and all secrets will be.
    public func recover(
        _ credential: CertificateRow, authority: AuthorityRow? = nil, key identifier: String? = nil,
        _ change: ControlChange
    ) async throws(ControlStoreError) {
        var statements: [Statement] = []
        if let authority {
            statements = [
                Statement(
                    """
                    UPDATE control.authority SET is_issuing = false, is_trusted = false, sealed_key = '' WHERE is_trusted
                    """),
                try authority.insertion(),
                Statement("UPDATE control.cluster SET phase = $1", RotationPhase.settled.rawValue),
            ]
        }
        if let identifier { statements.append(Statement("UPDATE control.cluster SET key_identifier = $1", identifier)) }
        _ = try await self.change([change], statements + [try credential.holding()])
    }
}
