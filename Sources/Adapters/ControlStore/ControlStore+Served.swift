public import ClusterModel
public import MailModel
import PostgresDriver

/// A resource as a node serves it (control 9).
public struct ServedResourceRow: Hashable, Sendable {
    /// Which one.
    public let key: ResourceKey
    /// Its version.
    public let version: UInt64
    /// SHA-256 of the content. For a certificate, of its leaf in DER.
    public let sha256: [UInt8]
    /// Of a certificate only.
    public let notAfter: Timestamp?

    /// A resource that is served.
    public init(key: ResourceKey, version: UInt64, sha256: [UInt8], notAfter: Timestamp? = nil) {
        self.key = key
        self.version = version
        self.sha256 = sha256
        self.notAfter = notAfter
    }
}

/// What a node says that it serves (control 9).
public struct ServedReport: Hashable, Sendable {
    /// The node.
    public let node: String
    /// The version of the state in force; 0 if it is not from a controller.
    public let stateVersion: UInt64
    /// What it serves.
    public let resources: [ServedResourceRow]
    /// How far its clock is ahead of the replica's; `nil` if it did not tell.
    public let clockOffset: Duration?
    /// The version of its program.
    public let programVersion: String
    /// The authorities that it trusts: SHA-256 of each.
    public let trustedAuthorities: [[UInt8]]

    /// A report.
    public init(
        node: String, stateVersion: UInt64, resources: [ServedResourceRow], clockOffset: Duration?,
        programVersion: String,
        trustedAuthorities: [[UInt8]]
    ) {
        self.node = node
        self.stateVersion = stateVersion
        self.resources = resources
        self.clockOffset = clockOffset
        self.programVersion = programVersion
        self.trustedAuthorities = trustedAuthorities
    }
}

extension ControlStore {
    /// Records what a node serves. A report that says the same as the one before writes nothing but that the node was seen.
    ///
    /// - Returns: whether the node is enrolled; a stranger's report is dropped.
    @discardableResult
    public func report(_ report: ServedReport) async throws(ControlStoreError) -> Bool {
        try ControlLimits.check(
            report.resources.count, atMost: ControlLimits.servedResources, "resources that are served")
        guard report.trustedAuthorities.allSatisfy({ $0.count == 32 }) else {
            throw ControlStoreError(.unfit, "an authority is named by the 32 bytes of its SHA-256")
        }
        try ControlLimits.check(report.trustedAuthorities.count, atMost: ControlLimits.pageRows, "trusted authorities")
        let results = try await self.idempotently([Self.standing(report), Self.serving(report)])
        return results.first?.affectedRows == 1
    }

    /// What a node serves, in the order of keys, as it last said.
    @concurrent
    public func served(by node: String) async throws(ControlStoreError) -> [ServedResourceRow] {
        let found = try await self.rows(
            """
            SELECT r.type, r.name, r.version, r.digest, r.until
            FROM control.served s, unnest(s.types, s.names, s.versions, s.digests, s.ends)
                AS r (type, name, version, digest, until)
            WHERE s.node = $1 ORDER BY r.type, r.name COLLATE "C"
            """, node)
        var served: [ServedResourceRow] = []
        for row in found.rows {
            served.append(
                ServedResourceRow(
                    key: try row.resourceKey(0), version: try row.version(2), sha256: try row.bytes(3),
                    notAfter: try row.value(4, as: PostgresTimestamp?.self).map { Timestamp($0) }))
        }
        return served
    }

    private static func standing(_ report: ServedReport) -> Statement {
        Statement(
            """
            INSERT INTO control.node AS n (name, last_seen, served_version, clock_offset_us, program_version, trusted_authorities)
            SELECT i.name, clock_timestamp(), $2, $3, $4, $5 FROM control.identity i WHERE i.role = 'node' AND i.name = $1
            ON CONFLICT (name) DO UPDATE SET last_seen = excluded.last_seen, served_version = excluded.served_version,
                clock_offset_us = excluded.clock_offset_us, program_version = excluded.program_version,
                trusted_authorities = excluded.trusted_authorities
            """, report.node, report.stateVersion.stored, report.clockOffset?.wholeMicroseconds,
            String(report.programVersion.storable.prefix(200)), report.trustedAuthorities.flatMap { $0 }.stored)
    }

    private static func serving(_ report: ServedReport) -> Statement {
        let resources = report.resources
        return Statement(
            """
            INSERT INTO control.served AS s (node, types, names, versions, digests, ends)
            SELECT n.name, $2, $3, $4, $5, $6 FROM control.node n WHERE n.name = $1
            ON CONFLICT (node) DO UPDATE SET types = excluded.types, names = excluded.names, versions = excluded.versions,
                digests = excluded.digests, ends = excluded.ends
            WHERE (s.types, s.names, s.versions, s.digests, s.ends) IS DISTINCT FROM
                (excluded.types, excluded.names, excluded.versions, excluded.digests, excluded.ends)
            """, report.node, resources.map(\.key.type.rawValue), resources.map(\.key.name.storable),
            resources.map(\.version.stored), resources.map(\.sha256.stored), resources.map { $0.notAfter?.stored })
    }
}
