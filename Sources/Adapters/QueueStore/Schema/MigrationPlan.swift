import PostgresDriver

/// What a migration finds in a database, and would do.
public struct MigrationPlan: Hashable, Sendable, CustomStringConvertible {
    /// The database.
    public let database: String
    /// The version of its schema; 0 where there is none.
    public let version: Int32
    /// The steps that are missing, such as `9 (site wait)`.
    public let missing: [String]
    /// The shards that the queue has; 0 where there is none.
    public let shards: Int
    /// Those that it will have.
    public let plannedShards: Int
    /// How the roles are called, or will be.
    public let roles: QueueRoles

    /// What a database holds.
    struct Found {
        let state: SchemaState
        let shards: Int
        /// The name of the nodes' role; nothing where an older program migrated, when there was one name only.
        let queueRole: String?
    }

    /// Refuses what this program cannot work with: another encoding than UTF8, or a schema that is newer than the
    /// program. It also refuses another number of shards, or other names of roles, than an existing queue has.
    init(_ found: Found, wanted: Int?, roles: QueueRoles?) throws(MigrationError) {
        let (database, shards) = (found.state.database, found.shards)
        try found.state.check(for: QueueMigrations.schema)
        self.database = database
        self.version = found.state.version
        if shards > 0, let wanted, wanted != shards { throw MigrationError.shards(shards, of: database, not: wanted) }
        self.missing = found.state.missing(of: QueueMigrations.schema).map(\.title)
        let present = found.queueRole ?? (self.version > 0 ? QueueRoles.usual.queue : nil)
        let planned = roles ?? present.flatMap { QueueRoles(queue: $0) } ?? .usual
        if let present, planned.queue != present {
            throw MigrationError.roles(present, of: database, not: planned)
        }
        self.roles = planned
        self.shards = shards
        self.plannedShards = shards > 0 ? shards : wanted ?? QueueMigrations.defaultShardCount
    }

    public var description: String {
        var lines = ["database \(self.database): the schema is at version \(self.version)"]
        lines += self.missing.map { "would apply migration \($0)" }
        if !self.missing.isEmpty {
            lines.append("would make or use the roles \(self.roles.names.joined(separator: ", "))")
        }
        if self.shards == 0 { lines.append("would make \(self.plannedShards) shards") }
        return (lines.count > 1 ? lines : lines + ["nothing to do"]).joined(separator: "\n")
    }
}

extension MigrationError {
    static func shards(_ shards: Int, of database: String, not wanted: Int) -> MigrationError {
        MigrationError(
            .unsuitable,
            """
            --shards \(wanted): the queue of database \(database) has \(shards) shards, and their number is fixed from the \
            first migration on; leave --shards out, or set it to \(shards)
            """)
    }

    static func roles(_ present: String, of database: String, not wanted: QueueRoles) -> MigrationError {
        MigrationError(
            .unsuitable,
            """
            --roles \(wanted.prefix): the nodes' role of database \(database) is \(present), and the names are fixed from the first \
            migration on; leave --roles out
            """)
    }
}
