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
        let database: String
        let encoding: String
        let versions: Set<Int32>
        let shards: Int
        /// The name of the nodes' role; nothing where an older program migrated, when there was one name only.
        let queueRole: String?
    }

    /// Refuses what this program cannot work with: another encoding than UTF8, or a schema that is newer than the
    /// program. It also refuses another number of shards, or other names of roles, than an existing queue has.
    init(_ found: Found, wanted: Int?, roles: QueueRoles?) throws(MigrationError) {
        let (database, shards) = (found.database, found.shards)
        guard found.encoding == "UTF8" else { throw MigrationError.encoding(found.encoding, of: database) }
        self.database = database
        self.version = found.versions.max() ?? 0
        let latest = QueueMigrations.latestVersion
        guard self.version <= latest else { throw MigrationError.newer(self.version, in: database, than: latest) }
        if shards > 0, let wanted, wanted != shards { throw MigrationError.shards(shards, of: database, not: wanted) }
        self.missing = Migration.all.filter { !found.versions.contains($0.version) }.map {
            "\($0.version) (\($0.name))"
        }
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

/// How long a step of a migration waits for locks. Sessions that come after it wait with it.
public struct MigrationPatience: Hashable, Sendable {
    /// The most time that one try waits, in milliseconds.
    public var lockMilliseconds = 2000
    /// How often a step is tried.
    public var attempts = 30
    /// The time between two tries, in which others get their locks.
    public var pause = Duration.seconds(2)

    /// Thirty tries in about two minutes.
    public init() {}
}

/// Why a schema was not brought up to date, in words that name the step.
public struct MigrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: Hashable, Sendable {
        /// The database, or what is asked of it, is not what this program can work with.
        case unsuitable
        /// The login lacks rights.
        case denied
        /// A step could not get its locks.
        case locked
        /// The database failed, or refused.
        case database
    }

    /// The SQLSTATE of a lock that was not to be had in time.
    static let lockNotAvailable = "55P03"

    /// The kind.
    public let code: Code
    /// For people, in one line.
    public let description: String

    private init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// A step that the database refused. The statements themselves, which fill pages, are left out.
    init(_ step: String, _ error: PostgresError) {
        let code: Code = error.code == .unsuitableServer ? .unsuitable : .database
        self.init(code, "\(step): \(error.messageWithoutStatement.prefix(500))")
    }

    /// A step that the database refused to a login.
    init(_ step: String, _ error: PostgresError, deniedTo login: MigrationLogin) {
        self.init(.denied, "\(step): \(error.messageWithoutStatement.prefix(500)): \(login.help)")
    }

    static func encoding(_ encoding: String, of database: String) -> MigrationError {
        MigrationError(
            .unsuitable,
            """
            database \(database) has the encoding \(encoding), and the queue needs UTF8: make another with \
            createdb --encoding=UTF8 --template=template0
            """)
    }

    static func newer(_ version: Int32, in database: String, than latest: Int32) -> MigrationError {
        MigrationError(
            .unsuitable,
            """
            the schema of database \(database) is at version \(version), and this program makes version \(latest): \
            install the version of relay that made this schema, or a newer one
            """)
    }

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

    static func locked(_ step: String, _ attempts: Int, _ holders: String) -> MigrationError {
        MigrationError(
            .locked,
            """
            \(step): no lock in \(attempts) tries; locks are held by \(holders). End that transaction, with \
            pg_terminate_backend(pid) if need be, and run relayd migrate again
            """)
    }
}
