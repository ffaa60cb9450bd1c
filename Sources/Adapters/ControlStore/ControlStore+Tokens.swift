public import ClusterModel
public import MailModel
import PostgresDriver

/// What a join token permits (control 11).
public struct TokenRow: Hashable, Sendable {
    /// SHA-256 of the secret part.
    public let secretSHA256: [UInt8]
    /// The names that may be taken with it.
    public let pattern: NamePattern
    /// What its holders become: any role but a controller's.
    public let role: ClusterRole
    /// How many keys it serves.
    public let uses: Int
    /// Until when it can be used.
    public let expiresAt: Timestamp
    /// The identity that made it.
    public let createdBy: String

    /// A token.
    public init(
        secretSHA256: [UInt8], pattern: NamePattern, role: ClusterRole, uses: Int, expiresAt: Timestamp,
        createdBy: String
    ) {
        self.secretSHA256 = secretSHA256
        self.pattern = pattern
        self.role = role
        self.uses = uses
        self.expiresAt = expiresAt
        self.createdBy = createdBy
    }
}

/// What came of the use of a token.
public enum Redemption: Hashable, Sendable {
    /// The certificate is stored; its holder may have it.
    case accepted
    /// The same key has used the token for the same name before: it gets the same certificate again.
    case repeated(der: [UInt8])
    /// There is no such token.
    case unknownToken
    /// Its time is over.
    case expiredToken
    /// It has served as many keys as it may.
    case usedUp
    /// It is not for this name, or this key has used it for another one.
    case wrongName
    /// It is not for this role.
    case wrongRole
    /// Another key has the name, and this token must not take it from it before then.
    case nameTaken(until: Timestamp)
    /// The holder of the name is revoked, and this token does not bring it back.
    case revoked
}

extension ControlStore {
    /// Adds a token.
    public func add(_ token: TokenRow, _ change: ControlChange) async throws(ControlStoreError) {
        guard token.uses > 0, token.role != .controller else {
            throw ControlStoreError(.unfit, "a token has uses, and is not for controllers")
        }
        try ControlLimits.check(token.uses, atMost: ControlLimits.tokenUses, "uses of a token")
        let insertion = Statement(
            """
            INSERT INTO control.token (secret_sha256, pattern, role, uses, expires_at, created_by)
            VALUES ($1, $2, $3, $4, $5, $6)
            """, token.secretSHA256.stored, token.pattern.text, token.role.rawValue, Int32(token.uses),
            token.expiresAt.stored, token.createdBy)
        _ = try await self.change([change], [insertion])
    }

    /// Enrols by a token. The key of the candidate binds the use: the same key and name get the stored certificate again, for as long
    /// as the token lives (control 11).
    ///
    /// A name that another key holds is given to this one by a token for exactly that name. A token for several names does so
    /// only if nobody has heard of the node for two minutes, or the person's certificate has expired. The former key's certificates
    /// are revoked.
    ///
    /// Throws `.staleAuthority` if the candidate is of an authority that does not issue: then a rotation has gone on, and it has to
    /// be signed anew.
    ///
    /// - Parameter candidate: what its holder will have, if the outcome is `.accepted`.
    public func redeem(
        secretSHA256: [UInt8], _ candidate: CertificateRow
    ) async throws(ControlStoreError) -> Redemption {
        let found = try await self.rows(
            "SELECT pattern, created_by FROM control.token WHERE secret_sha256 = $1", secretSHA256.stored)
        guard let token = found.rows.first else { return .unknownToken }
        guard let pattern = NamePattern(try token.value(0)) else {
            throw ControlStoreError(.other, "a stored token has no proper pattern")
        }
        // What a token permits never changes, so it can be looked at beforehand.
        let identity = candidate.identity
        let entries = try AuditEntries([
            ControlChange(
                actor: identity.uri, action: "\(identity.role.rawValue).enroll",
                object: "\(identity.role.rawValue)/\(identity.name)",
                reason: "token of \(try token.value(1, as: String.self))")
        ])
        let quiet = ControlLimits.quietBeforeReplacement.wholeMicroseconds
        let results = try await self.idempotently([
            Statement(
                "SELECT outcome, stored, free_at FROM control.redeem($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                parameters: [secretSHA256.stored, pattern.matches(identity.name), pattern.isExact, quiet]
                    + (try candidate.parameters()) + [entries.json, entries.request])
        ])
        guard let row = results.first?.rows.first else {
            throw ControlStoreError(.other, "the database gave no outcome of an enrolment")
        }
        return try Redemption(row, candidate)
    }
}

extension Redemption {
    fileprivate init(_ row: QueryResult.Row, _ candidate: CertificateRow) throws(ControlStoreError) {
        switch try row.value(0, as: String.self) {
        case "accepted": self = .accepted
        case "repeated":
            let stored = try row.bytes(1)
            // This very call was done before, and only its reply from the database was lost.
            self = stored == candidate.der ? .accepted : .repeated(der: stored)
        case "unknown-token": self = .unknownToken
        case "expired-token": self = .expiredToken
        case "used-up": self = .usedUp
        case "wrong-name": self = .wrongName
        case "wrong-role": self = .wrongRole
        case "name-taken": self = .nameTaken(until: try row.moment(2))
        case "revoked": self = .revoked
        case let other: throw ControlStoreError(.other, "the database gave the outcome \(other)")
        }
    }
}
