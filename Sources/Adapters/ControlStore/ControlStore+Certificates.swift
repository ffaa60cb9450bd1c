public import ClusterModel
public import MailModel
import PostgresDriver

/// A certificate that an authority of the cluster has signed.
public struct CertificateRow: Hashable, Sendable {
    /// SHA-256 of the certificate.
    public let sha256: [UInt8]
    /// Who it is for.
    public let identity: ClusterIdentity
    /// SHA-256 of the public key.
    public let publicKeySHA256: [UInt8]
    /// SHA-256 of the authority's certificate.
    public let authoritySHA256: [UInt8]
    /// X.509 in DER.
    public let der: [UInt8]
    /// The begin of its validity.
    public let notBefore: Timestamp
    /// The end of its validity.
    public let notAfter: Timestamp

    /// A certificate.
    public init(
        sha256: [UInt8], identity: ClusterIdentity, publicKeySHA256: [UInt8], authoritySHA256: [UInt8], der: [UInt8],
        notBefore: Timestamp, notAfter: Timestamp
    ) {
        self.sha256 = sha256
        self.identity = identity
        self.publicKeySHA256 = publicKeySHA256
        self.authoritySHA256 = authoritySHA256
        self.der = der
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// The parameters of the schema's functions that store it.
    func parameters() throws(ControlStoreError) -> [any PostgresEncodable] {
        try ControlLimits.check(self.der.count, atMost: ControlLimits.certificateBytes, "bytes of a certificate")
        return [
            self.identity.role.rawValue, self.identity.name, self.sha256.stored, self.publicKeySHA256.stored,
            self.authoritySHA256.stored, self.der.stored, self.notBefore.stored, self.notAfter.stored,
        ]
    }

    /// Makes it the only one of its holder.
    func holding() throws(ControlStoreError) -> Statement {
        Statement(
            "SELECT control.hold_certificate($1, $2, $3, $4, $5, $6, $7, $8, true)", parameters: try self.parameters())
    }
}

/// What came of a renewal.
public enum RenewalOutcome: String, Hashable, Sendable, CaseIterable {
    /// The certificate is stored; its holder may have it.
    case recorded
    /// Nobody of this name is enrolled.
    case unknownIdentity = "unknown-identity"
    /// Its holder is revoked.
    case revoked
    /// The name has another key by now.
    case otherKey = "other-key"
}

/// Certificates that do not count, though they have not expired.
public struct Revocations: Hashable, Sendable {
    /// SHA-256 of each.
    public let fingerprints: Set<[UInt8]>
    /// Counts the changes, as in `ClusterRow`.
    public let version: UInt64
}

extension ControlStore {
    /// Stores the next certificate of a holder, who has shown a key that it has.
    ///
    /// Repeated after its reply was lost it does the same again, also if it changed the key. Throws `.staleAuthority` if the
    /// certificate is of an authority that does not issue: then a rotation has gone on, and it has to be signed anew.
    ///
    /// - Parameter publicKeySHA256: the key of the certificate that the caller showed, if it is not the new one's.
    public func recordRenewal(
        _ row: CertificateRow, replacing publicKeySHA256: [UInt8]? = nil
    ) async throws(ControlStoreError) -> RenewalOutcome {
        let shown = (publicKeySHA256 ?? row.publicKeySHA256).stored
        let results = try await self.idempotently([
            Statement(
                "SELECT control.renew($1, $2, $3, $4, $5, $6, $7, $8, $9)", parameters: try row.parameters() + [shown])
        ])
        guard let text: String = try results.first?.rows.first?.value(0), let outcome = RenewalOutcome(rawValue: text)
        else { throw ControlStoreError(.other, "the database gave no outcome of a renewal") }
        return outcome
    }

    /// A certificate that was issued, whether it counts or not. It is kept for a while after its end.
    public func certificate(sha256: [UInt8]) async throws(ControlStoreError) -> CertificateRow? {
        let found = try await self.rows(
            """
            SELECT c.role, c.name, c.public_key_sha256, c.authority_sha256, c.der, c.not_before, c.not_after, k.name
            FROM control.certificate c, control.cluster k WHERE c.sha256 = $1
            """, sha256.stored)
        guard let row = found.rows.first else { return nil }
        guard let cluster = ClusterName(try row.value(7)), let role = ClusterRole(rawValue: try row.value(0)),
            let identity = ClusterIdentity(cluster: cluster, role: role, name: try row.value(1))
        else { throw ControlStoreError(.other, "a stored certificate has no proper holder") }
        return CertificateRow(
            sha256: sha256, identity: identity, publicKeySHA256: try row.bytes(2), authoritySHA256: try row.bytes(3),
            der: try row.bytes(4), notBefore: try row.moment(5), notAfter: try row.moment(6))
    }

    /// What is revoked now, and has not expired (control 16).
    public func revocations() async throws(ControlStoreError) -> Revocations {
        // One statement, so that version and certificates belong together.
        let found = try await self.rows(
            """
            SELECT k.revocation_version, c.sha256 FROM control.cluster k LEFT JOIN control.certificate c
                ON c.revoked_at IS NOT NULL AND c.not_after > clock_timestamp()
            """)
        guard let first = found.rows.first else { throw ControlStoreError(.notInitialised, "there is no cluster yet") }
        var fingerprints: Set<[UInt8]> = []
        for row in found.rows {
            if let bytes = try row.value(1, as: PostgresBytes?.self) { fingerprints.insert(bytes.bytes) }
        }
        return Revocations(fingerprints: fingerprints, version: try first.version(0))
    }

    /// Refuses a node or a person from now on, with every certificate that it has.
    ///
    /// - Returns: whether there was one to revoke.
    public func revoke(_ identity: ClusterIdentity, _ change: ControlChange) async throws(ControlStoreError) -> Bool {
        let revocation = Statement(
            "SELECT control.revoke_identity($1, $2)", identity.role.rawValue, identity.name)
        return try await self.change([change], [revocation])
    }
}
