public import ClusterModel
import PostgresDriver

/// A resource as it is stored.
public struct StoredResource: Hashable, Sendable {
    /// Which one.
    public let key: ResourceKey
    /// The version of the state that wrote it.
    public let version: UInt64
    /// The serialized message, without secrets.
    public let content: [UInt8]
    /// What of it is secret, sealed.
    public let secret: [UInt8]?

    /// A resource.
    public init(key: ResourceKey, version: UInt64, content: [UInt8], secret: [UInt8]?) {
        self.key = key
        self.version = version
        self.content = content
        self.secret = secret
    }
}

/// What is to be written of one resource.
public struct ResourceWrite: Hashable, Sendable {
    /// Which one.
    public let key: ResourceKey
    /// The serialized message, without secrets; `nil` removes the resource.
    public let content: [UInt8]?
    /// What of it is secret, sealed. Without it the resource has no secret any more.
    public let secret: [UInt8]?
    /// The version that the caller has seen: 0 if there must be none, `nil` if any will do.
    public let base: UInt64?

    /// A write.
    public init(key: ResourceKey, content: [UInt8]?, secret: [UInt8]? = nil, base: UInt64?) {
        self.key = key
        self.content = content
        self.secret = secret
        self.base = base
    }
}

/// What came of a write.
public enum WriteOutcome: Hashable, Sendable {
    /// All of it is written, under this version of the state. After a dry run: would be.
    case written(version: UInt64)
    /// All of it is as it was; this is the version of the state.
    case unchanged(UInt64)
    /// Nothing is written: this resource has another version than the caller has seen; 0 if there is none.
    case conflict(ResourceKey, current: UInt64)
}

/// The whole state at one moment.
public struct StoredState: Hashable, Sendable {
    /// The version of the state.
    public let version: UInt64
    /// All resources, in order.
    public let resources: [StoredResource]

    /// A state.
    public init(version: UInt64, resources: [StoredResource]) {
        self.version = version
        self.resources = resources
    }
}

/// What leads from an earlier state to the present one.
public struct StoredChanges: Hashable, Sendable {
    /// The version of the present state.
    public let version: UInt64
    /// New and changed resources, in order.
    public let resources: [StoredResource]
    /// Resources that are gone, in order. They may be unknown to who has the earlier state.
    public let removed: [ResourceKey]

    /// Changes.
    public init(version: UInt64, resources: [StoredResource], removed: [ResourceKey]) {
        self.version = version
        self.resources = resources
        self.removed = removed
    }
}

extension ControlStore {
    /// Writes resources under one new version of the state: all of them, or none.
    ///
    /// Writers come one after the other. So versions grow in the order of commits, and whoever reads a version of the state has
    /// all of its resources. What is written as it is already keeps its version.
    public func write(
        _ writes: [ResourceWrite], _ changes: [ControlChange]
    ) async throws(ControlStoreError) -> WriteOutcome {
        try Self.check(writes)
        let entries = try AuditEntries(changes)
        let results = try await self.idempotently([
            Statement(
                "SELECT outcome, version, fault_type, fault_name FROM control.write($1, $2, $3, $4, $5, $6, $7, $8)",
                entries.request, entries.isDryRun, entries.json, writes.map(\.key.type.rawValue),
                writes.map(\.key.name),
                writes.map { $0.content?.stored }, writes.map { $0.secret?.stored }, writes.map { $0.base?.stored })
        ])
        guard let row = results.first?.rows.first else {
            throw ControlStoreError(.other, "the database gave no outcome of a write")
        }
        switch try row.value(0, as: String.self) {
        case "written": return .written(version: try row.version(1))
        case "unchanged": return .unchanged(try row.version(1))
        case "conflict": return .conflict(try row.resourceKey(2), current: try row.version(1))
        case let other: throw ControlStoreError(.other, "the database gave the outcome \(other)")
        }
    }

    /// The version of the state, from 1.
    public func stateVersion() async throws(ControlStoreError) -> UInt64 {
        guard let row = try await self.rows("SELECT state_version FROM control.cluster").rows.first else {
            throw ControlStoreError(.notInitialised, "there is no cluster yet")
        }
        return try row.version(0)
    }

    /// All of the state.
    @concurrent
    public func load() async throws(ControlStoreError) -> StoredState {
        // One statement is one snapshot: version and resources belong together. No join, which would keep all of it a second time.
        let found = try await self.rows(
            """
            SELECT state_version, NULL::int2, NULL::text, NULL::int8, NULL::bytea, NULL::bytea FROM control.cluster
            UNION ALL (SELECT NULL, type, name, version, content, secret FROM control.resource WHERE content IS NOT NULL
                ORDER BY type, name)
            """)
        guard let first = found.rows.first, let version = try first.value(0, as: Int64?.self) else {
            throw ControlStoreError(.notInitialised, "there is no cluster yet")
        }
        var resources: [StoredResource] = []
        for row in found.rows.dropFirst() { if let resource = try row.resource(1) { resources.append(resource) } }
        return StoredState(version: UInt64(clamping: version), resources: resources)
    }

    /// What has changed since a state; `nil` if that is too old to tell, or not of this cluster's past: then load all.
    @concurrent
    public func changes(after version: UInt64) async throws(ControlStoreError) -> StoredChanges? {
        // In the order of the index of versions, so that it is used whatever the planner knows of the table.
        let found = try await self.rows(
            """
            SELECT c.state_version, r.type, r.name, r.version, r.content, r.secret,
                $1 BETWEEN c.complete_from AND c.state_version
            FROM control.cluster c LEFT JOIN LATERAL (
                SELECT * FROM control.resource n WHERE n.version > $1 AND $1 BETWEEN c.complete_from AND c.state_version
                ORDER BY n.version OFFSET 0
            ) AS r ON true ORDER BY r.type, r.name
            """, version.stored)
        guard let first = found.rows.first else { throw ControlStoreError(.notInitialised, "there is no cluster yet") }
        guard try first.value(6, as: Bool.self) else { return nil }
        var resources: [StoredResource] = []
        var removed: [ResourceKey] = []
        for row in found.rows where try row.value(1, as: Int16?.self) != nil {
            if let resource = try row.resource(1) {
                resources.append(resource)
            } else {
                removed.append(try row.resourceKey(1))
            }
        }
        return StoredChanges(version: try first.version(0), resources: resources, removed: removed)
    }

    private static func check(_ writes: [ResourceWrite]) throws(ControlStoreError) {
        guard !writes.isEmpty, Set(writes.map(\.key)).count == writes.count else {
            throw ControlStoreError(.unfit, "a write has resources, and each once")
        }
        try ControlLimits.check(writes.count, atMost: ControlLimits.resourcesInWrite, "resources in a write")
        var total = 0
        for write in writes {
            let (content, secret) = (write.content?.count ?? 0, write.secret?.count ?? 0)
            try ControlLimits.check(content, atMost: ControlLimits.resourceBytes, "bytes of \(write.key)")
            try ControlLimits.check(secret, atMost: ControlLimits.secretBytes, "bytes of the secret of \(write.key)")
            try Self.check(write.key)
            guard write.content != nil || write.secret == nil else {
                throw ControlStoreError(.unfit, "\(write.key) is removed and has a secret")
            }
            total += content + secret
        }
        try ControlLimits.check(total, atMost: ControlLimits.writeBytes, "bytes of a write")
    }

    private static func check(_ key: ResourceKey) throws(ControlStoreError) {
        let bytes = key.name.utf8
        try ControlLimits.check(bytes.count, atMost: ControlLimits.nameBytes, "bytes of the name of a resource")
        guard !bytes.isEmpty, !bytes.contains(0) else {
            throw ControlStoreError(.unfit, "the name of a resource is empty, or has a NUL")
        }
    }
}

extension QueryResult.Row {
    /// A resource from its columns of type, name, version, content and secret; `nil` for what was removed, and for no row at all.
    fileprivate func resource(_ column: Int) throws(ControlStoreError) -> StoredResource? {
        guard let content = try self.value(column + 3, as: PostgresBytes?.self) else { return nil }
        return StoredResource(
            key: try self.resourceKey(column), version: try self.version(column + 2), content: content.bytes,
            secret: try self.value(column + 4, as: PostgresBytes?.self)?.bytes)
    }
}
