public import ClusterModel
public import PostgresDriver

/// Why the queue did not do what was asked.
public struct QueueStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is, which says what the caller may do.
    public enum Code: String, Hashable, Sendable {
        /// Another node owns the shard, or the lease was lost: forget its entries.
        case staleEpoch = "stale-epoch"
        /// The entry is gone, or not in the state the caller remembers: forget it and claim again.
        case entryChanged = "entry-changed"
        /// The chunks of a large body were discarded, or swept because nothing came for too long: refuse the message for now.
        case bodyNotStaged = "body-not-staged"
        /// Too much waits to be stored: refuse the message for now (452).
        case overloaded
        /// Another running node has the same name.
        case duplicateNode = "duplicate-node"
        /// The database failed; nothing was stored. Refuse for now (451), or try again.
        case database
        /// The database failed, and what was to be stored may be stored or not. Refuse for now (451).
        case ambiguous
        /// The schema is older than this program: it has yet to be migrated.
        case outdatedSchema = "outdated-schema"
        /// The schema is newer than this program.
        case newerSchema = "newer-schema"
        /// What is stored cannot be read by this program.
        case unreadable
    }

    /// What kind of failure it is.
    public let code: Code
    /// For people.
    public let message: String
    /// The database's own error, if it was that.
    public let cause: PostgresError?
    /// With `staleEpoch`, the terms that are over; the others of the same transaction were not.
    public var staleTerms: Set<ShardTerm> {
        guard self.code == .staleEpoch, let detail = self.cause?.detail else { return [] }
        return Set(detail.split(separator: " ").compactMap(ShardTerm.init(detail:)))
    }

    init(_ code: Code, _ message: String, cause: PostgresError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// Why a program of this version must not work on a schema of that one; `nil` where it may.
    ///
    /// A newer schema says how old a program may be: while a fleet is upgraded, nodes of two versions run side by side.
    init?(_ schema: SchemaVersion) {
        let (found, needed) = (schema.version, QueueMigrations.latestVersion)
        guard found < needed || schema.leastProgram > needed else { return nil }
        let versions = "the schema of the database is at version \(found), and this program needs version \(needed)"
        if found < needed {
            self.init(.outdatedSchema, "\(versions): run relayd migrate of this program's version")
        } else {
            self.init(.newerSchema, "\(versions): install the version of relay that made this schema, or a newer one")
        }
    }

    /// Reads the SQLSTATEs that the schema's functions raise.
    init(_ error: PostgresError) {
        let code: Code =
            switch (error.sqlState, error.code) {
            case ("RL001", _): .staleEpoch
            case ("RL002", _): .bodyNotStaged
            case ("RL003", _): .entryChanged
            case (_, .ambiguousCommit): .ambiguous
            case (_, .badValue): .unreadable
            default: .database
            }
        self.init(code, error.message, cause: error)
    }

    public var description: String { "\(self.code.rawValue): \(self.message)" }
}

extension ShardTerm {
    /// Reads `shard/epoch`, as `relay.fence` writes it.
    fileprivate init?(detail: Substring) {
        let parts = detail.split(separator: "/")
        guard parts.count == 2, let shard = Int16(parts[0]), let epoch = Int64(parts[1]) else { return nil }
        self.init(shard: Shard(rawValue: shard), epoch: Epoch(rawValue: epoch))
    }
}
