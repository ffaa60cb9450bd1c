public import ClusterModel
import PostgresDriver

/// Where a sealed secret is.
public enum SecretPlace: Hashable, Sendable {
    /// The key of the authority of this SHA-256.
    case authority([UInt8])
    /// The secret of a resource.
    case resource(ResourceKey)
}

/// A secret, sealed, and where it is.
public struct PlacedSecret: Hashable, Sendable {
    /// Where it is.
    public let place: SecretPlace
    /// One byte of version, 16 of the name of the key, and what is sealed (`SealedSecret.encoded`).
    public let sealed: [UInt8]
}

extension ControlStore {
    /// Secrets that are sealed under another key than this one: at most so many, and never more than a page and one row.
    public func secretsNot(
        under identifier: String, limit: Int = ControlLimits.pageRows
    ) async throws(ControlStoreError) -> [PlacedSecret] {
        let found = try await self.rows(
            """
            SELECT type, name, sha256, secret FROM (
                SELECT NULL::int2 AS type, NULL::text AS name, sha256, sealed_key AS secret FROM control.authority
                WHERE sealed_key <> ''
                UNION ALL SELECT type, name, ''::bytea, secret FROM control.resource WHERE secret IS NOT NULL
            ) AS s WHERE substring(secret FROM 2 FOR 16) <> $1 ORDER BY type NULLS FIRST, name LIMIT $2
            """, Array(identifier.utf8).stored, ControlLimits.rows(limit))
        var secrets: [PlacedSecret] = []
        for row in found.rows {
            let isResource = try row.value(0, as: Int16?.self) != nil
            let place: SecretPlace = isResource ? .resource(try row.resourceKey(0)) : .authority(try row.bytes(2))
            secrets.append(PlacedSecret(place: place, sealed: try row.bytes(3)))
        }
        return secrets
    }

    /// Puts the same secret, sealed under another key, in the place of the one that the caller has seen. The version of a resource
    /// stays: what it says is the same.
    ///
    /// - Returns: whether it was done; not if the place has something else by now. Repeated after its reply was lost, it is done.
    public func replaceSecret(
        _ place: SecretPlace, old: [UInt8], new: [UInt8]
    ) async throws(ControlStoreError) -> Bool {
        try ControlLimits.check(new.count, atMost: ControlLimits.secretBytes, "bytes of a secret")
        let result =
            switch place {
            case .authority(let sha256):
                try await self.rows(
                    """
                    UPDATE control.authority SET sealed_key = $3 WHERE sha256 = $1 AND sealed_key IN ($2, $3)
                    """, sha256.stored, old.stored, new.stored)
            case .resource(let key):
                try await self.rows(
                    """
                    UPDATE control.resource SET secret = $4 WHERE type = $1 AND name = $2 AND secret IN ($3, $4)
                    """, key.type.rawValue, key.name, old.stored, new.stored)
            }
        return result.affectedRows == 1
    }

    /// Names the key under which secrets are sealed from now on.
    ///
    /// - Returns: whether it was done; not if another key was named meanwhile.
    public func setKey(
        _ identifier: String, replacing former: String, _ change: ControlChange
    ) async throws(ControlStoreError) -> Bool {
        try await self.change(
            [change],
            [
                Statement(
                    """
                    WITH changed AS (UPDATE control.cluster SET key_identifier = $1 WHERE key_identifier = $2 RETURNING 1)
                    SELECT control.expect_rows(count(*), 1) FROM changed
                    """, identifier, former)
            ])
    }
}
