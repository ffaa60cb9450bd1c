public import ClusterModel
public import MailModel
import PostgresDriver

/// A node, as replicas have heard of it.
public struct NodeRow: Hashable, Sendable {
    /// Its name.
    public let name: String
    /// When it enrolled, with the key that it has.
    public let enrolledAt: Timestamp
    /// When a replica last heard of it.
    public let lastSeen: Timestamp?
    /// The replica whose stream it follows.
    public let replica: String?
    /// The version of the state that was last sent to it; 0 for none, as for the others.
    public let sent: UInt64
    /// That it last took.
    public let acknowledged: UInt64
    /// That it serves by.
    public let served: UInt64
    /// How far its clock is ahead.
    public let clockOffset: Duration?
    /// The version of its program; empty until it has told.
    public let programVersion: String
    /// Its last refusal, until it takes that version or a later one.
    public let refusal: WatchRefusal?
    /// The end of its latest certificate.
    public let certificateNotAfter: Timestamp
    /// Who signed that.
    public let authoritySHA256: [UInt8]
    /// The authorities that it trusts, as it said: SHA-256 of each.
    public let trustedAuthorities: [[UInt8]]
    /// Whether it is refused.
    public let isRevoked: Bool
}

/// What a replica has heard of a node, or sent to it. That it was seen is always recorded.
public struct NodeObservation: Hashable, Sendable {
    /// The node.
    public let node: String
    /// The replica.
    public let replica: String
    /// The version of the state that was sent.
    public let sent: UInt64?
    /// The version that the node took.
    public let acknowledged: UInt64?
    /// What the node refused.
    public let refusal: WatchRefusal?

    /// An observation.
    public init(
        of node: String, by replica: String, sent: UInt64? = nil, acknowledged: UInt64? = nil,
        refusal: WatchRefusal? = nil
    ) {
        self.node = node
        self.replica = replica
        self.sent = sent
        self.acknowledged = acknowledged
        self.refusal = refusal
    }
}

extension ControlStore {
    private static let columns = """
        SELECT i.name, i.enrolled_at, n.last_seen, n.replica, coalesce(n.sent_version, 0), coalesce(n.acknowledged_version, 0),
            coalesce(n.served_version, 0), n.clock_offset_us, coalesce(n.program_version, ''), n.refused_version, n.refused_type,
            n.refused_name, n.refused_reason, c.not_after, c.authority_sha256, coalesce(n.trusted_authorities, ''),
            i.revoked_at IS NOT NULL
        FROM control.identity i JOIN control.certificate c ON c.sha256 = i.certificate_sha256
        LEFT JOIN control.node n ON n.name = i.name WHERE i.role = 'node'
        """

    /// Enrolled nodes in the order of their names, those after a name: at most so many, and never more than a page and one row.
    public func nodes(
        after name: String? = nil, limit: Int = ControlLimits.pageRows
    ) async throws(ControlStoreError) -> [NodeRow] {
        let found = try await self.rows(
            "\(Self.columns) AND i.name > $1 ORDER BY i.name LIMIT $2", name ?? "",
            ControlLimits.rows(limit))
        var nodes: [NodeRow] = []
        for row in found.rows { nodes.append(try NodeRow(row)) }
        return nodes
    }

    /// One enrolled node.
    public func node(_ name: String) async throws(ControlStoreError) -> NodeRow? {
        guard let row = try await self.rows("\(Self.columns) AND i.name = $1", name).rows.first else { return nil }
        return try NodeRow(row)
    }

    /// Records what a replica has heard of nodes; what it says of strangers is dropped.
    public func record(_ observations: [NodeObservation]) async throws(ControlStoreError) {
        // In the order of names, so that two replicas never wait for each other.
        let ordered = observations.sorted { $0.node < $1.node }
        for start in stride(from: 0, to: ordered.count, by: ControlLimits.pageRows) {
            let part = ordered[start..<min(start + ControlLimits.pageRows, ordered.count)]
            _ = try await self.idempotently(part.map(Self.recording))
        }
    }

    /// Records that a node has left the stream of a replica. A stream that it follows elsewhere by now stays on record.
    public func recordDeparture(of node: String, from replica: String) async throws(ControlStoreError) {
        _ = try await self.rows(
            "UPDATE control.node SET replica = NULL WHERE name = $1 AND replica = $2", node, replica)
    }

    private static func recording(_ observation: NodeObservation) -> Statement {
        let refusal = observation.refusal
        return Statement(
            """
            INSERT INTO control.node AS n (name, last_seen, replica, sent_version, acknowledged_version,
                refused_version, refused_type, refused_name, refused_reason)
            SELECT i.name, clock_timestamp(), $2, coalesce($3, 0), coalesce($4, 0), $5, $6, $7, $8
            FROM control.identity i WHERE i.role = 'node' AND i.name = $1
            ON CONFLICT (name) DO UPDATE SET last_seen = excluded.last_seen, replica = excluded.replica,
                sent_version = coalesce($3, n.sent_version), acknowledged_version = coalesce($4, n.acknowledged_version),
                refused_version = CASE WHEN $5 IS NOT NULL THEN $5 WHEN n.refused_version > coalesce($4, 0)
                    THEN n.refused_version END,
                refused_type = CASE WHEN $5 IS NOT NULL THEN $6 ELSE n.refused_type END,
                refused_name = CASE WHEN $5 IS NOT NULL THEN $7 ELSE n.refused_name END,
                refused_reason = CASE WHEN $5 IS NOT NULL THEN $8 ELSE n.refused_reason END
            """, observation.node, observation.replica.storable, observation.sent?.stored,
            observation.acknowledged?.stored, refusal?.stateVersion.stored, refusal?.resource?.type.rawValue,
            refusal?.resource?.name.storable, refusal?.reason.storable)
    }
}

extension NodeRow {
    private static let hashBytes = 32

    fileprivate init(_ row: QueryResult.Row) throws(ControlStoreError) {
        self.name = try row.value(0)
        self.enrolledAt = try row.moment(1)
        self.lastSeen = try row.value(2, as: PostgresTimestamp?.self).map { Timestamp($0) }
        self.replica = try row.value(3)
        self.sent = try row.version(4)
        self.acknowledged = try row.version(5)
        self.served = try row.version(6)
        self.clockOffset = try row.value(7, as: Int64?.self).map { .microseconds($0) }
        self.programVersion = try row.value(8)
        if let version = try row.value(9, as: Int64?.self) {
            let resource = try row.value(10, as: Int16?.self) == nil ? nil : try row.resourceKey(10)
            self.refusal = WatchRefusal(
                stateVersion: UInt64(clamping: version), resource: resource, reason: try row.value(12))
        } else {
            self.refusal = nil
        }
        self.certificateNotAfter = try row.moment(13)
        self.authoritySHA256 = try row.bytes(14)
        let trusted = try row.bytes(15)
        self.trustedAuthorities = stride(from: 0, to: trusted.count, by: Self.hashBytes).map {
            Array(trusted[$0..<min($0 + Self.hashBytes, trusted.count)])
        }
        self.isRevoked = try row.value(16)
    }
}
