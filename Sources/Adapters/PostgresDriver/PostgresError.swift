/// Why the database did not do what was asked.
public struct PostgresError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is, which says what the caller may do.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// No server could be reached in time, or none that takes writes. Nothing was sent.
        case cannotConnect = "cannot-connect"
        /// The connection broke before the end of the transaction was sent: nothing was committed.
        case connectionLost = "connection-lost"
        /// The connection broke, or the deadline passed, after the end of the transaction was sent and before its
        /// answer came. It is committed, or it is not.
        case ambiguousCommit = "ambiguous-commit"
        /// No connection became free before the deadline. Nothing was sent.
        case acquireTimeout = "acquire-timeout"
        /// More callers wait for a connection than the pool allows. Nothing was sent.
        case tooManyWaiters = "too-many-waiters"
        /// The statement's deadline passed, and it was rolled back.
        case statementTimeout = "statement-timeout"
        /// SQLSTATE 40001 or 40P01: rolled back; the same again may work.
        case serializationFailure = "serialization-failure"
        /// SQLSTATE 23505.
        case uniqueViolation = "unique-violation"
        /// Another of class 23.
        case constraintViolation = "constraint-violation"
        /// SQLSTATE 25006: a server that does not take writes, so a standby.
        case readOnlyServer = "read-only-server"
        /// SQLSTATE 42501.
        case insufficientPrivilege = "insufficient-privilege"
        /// A server that was the primary once: this process has seen a newer one, which may have other data.
        case staleServer = "stale-server"
        /// The server, or what stands before it, does not keep what a session is promised.
        case unsuitableServer = "unsuitable-server"
        /// SQLSTATE 53100: rolled back, and so will be whatever needs disk space until there is some.
        case diskFull = "disk-full"
        /// Another of classes 53 and 58: out of memory, too many connections, I/O error.
        case resources
        /// Any other error that the server reported; the transaction was rolled back.
        case server
        /// A value that came back is not of the type asked for, or one that was given cannot be sent.
        case badValue = "bad-value"
        /// The pool is shut down.
        case shutDown = "shut-down"
    }

    /// What kind of failure it is.
    public let code: Code
    /// The server's five-character SQLSTATE, when it is the server that reported the failure.
    public let sqlState: String?
    /// For people. It may quote values of the statement, so it belongs into no metric.
    public let message: String

    /// What the server says beside the message, such as the key of a duplicate row. It is for programs that know what to expect.
    public let detail: String?

    /// An error found on this side.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.sqlState = nil
        self.message = message
        self.detail = nil
    }

    /// An error that the server reported.
    init(sqlState: String, message: String, detail: String? = nil) {
        self.code = Self.code(ofState: sqlState)
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
    }

    public var description: String {
        [self.code.rawValue, self.sqlState, self.message].compactMap(\.self).joined(separator: ": ")
    }

    private static func code(ofState state: String) -> Code {
        switch state {
        case "40001", "40P01": .serializationFailure
        case "23505": .uniqueViolation
        case "25006": .readOnlyServer
        case "42501": .insufficientPrivilege
        case "53100": .diskFull
        case "57014": .statementTimeout
        // The server is starting, stopping or recovering; it ended the session before any commit.
        case "57P01", "57P02", "57P03", "57P05", "25P03": .connectionLost
        case _ where state.hasPrefix("23"): .constraintViolation
        case _ where state.hasPrefix("53") || state.hasPrefix("58"): .resources
        case _ where state.hasPrefix("08"): .connectionLost
        default: .server
        }
    }
}
