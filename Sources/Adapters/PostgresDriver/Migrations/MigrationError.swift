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

    /// A failure in these words.
    public init(_ code: Code, _ description: String) {
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

    static func encoding(_ encoding: String, of database: String, for subject: String) -> MigrationError {
        MigrationError(
            .unsuitable,
            """
            database \(database) has the encoding \(encoding), and \(subject) needs UTF8: make another with \
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

    static func locked(_ step: String, _ attempts: Int, _ holders: String, _ command: String) -> MigrationError {
        MigrationError(
            .locked,
            """
            \(step): no lock in \(attempts) tries; locks are held by \(holders). End that transaction, with \
            pg_terminate_backend(pid) if need be, and run \(command) again
            """)
    }
}
