public import PostgresDriver

/// Why the store did not do what was asked.
public struct ControlStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is, which says what the caller may do.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// The database cannot be reached, or its connection broke. A change may have been made.
        case unreachable
        /// The database is too busy, or its disk is full: the same may work later.
        case busy
        /// The login may not do it.
        case denied
        /// The database has no schema, or an older one than this program makes.
        case schemaMissing = "schema-missing"
        /// The schema is newer than this program.
        case schemaNewer = "schema-newer"
        /// There is no cluster yet.
        case notInitialised = "not-initialised"
        /// There is a cluster already, and it is not overwritten (control 10).
        case exists
        /// A certificate is of an authority that does not issue any more: read the authorities, and sign it again.
        case staleAuthority = "stale-authority"
        /// What is to be stored is too large, or contradicts itself. The caller's fault.
        case unfit
        /// Anything else.
        case other
    }

    /// What kind of failure it is.
    public let code: Code
    /// For people.
    public let message: String
    /// The database's own error, if it was that.
    public let cause: PostgresError?

    init(_ code: Code, _ message: String, cause: PostgresError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    init(_ error: PostgresError) {
        let code: Code =
            switch error.code {
            case .cannotConnect, .connectionLost, .ambiguousCommit, .acquireTimeout, .readOnlyServer, .staleServer,
                .shutDown:
                .unreachable
            case .tooManyWaiters, .statementTimeout, .serializationFailure, .diskFull, .resources: .busy
            case .insufficientPrivilege: .denied
            default: Self.code(ofState: error.sqlState)
            }
        self.init(code, String(error.messageWithoutStatement), cause: error)
    }

    /// Of what the schema's functions raise, and of what is not there.
    private static func code(ofState state: String?) -> Code {
        switch state {
        case "RL101": .notInitialised
        case "RL102": .exists
        case "RL106": .staleAuthority
        case "42P01", "3F000", "42883", "42703": .schemaMissing
        default: .other
        }
    }

    public var description: String { "\(self.code.rawValue): \(self.message)" }
}
