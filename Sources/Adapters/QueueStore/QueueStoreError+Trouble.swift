import PostgresDriver

extension QueueStoreError {
    /// What an error is to a person who asked for something.
    public enum Trouble: Hashable, Sendable {
        /// The database cannot be reached.
        case unreachable
        /// The same may work later.
        case passing
        /// The login may not do it.
        case denied
        /// The database has no queue, or not one of this version.
        case missingQueue
        /// The database, or what stands before it, does not keep what a session is promised.
        case unsuitable
        /// The schema's version is not the program's.
        case wrongVersion
        /// Anything else.
        case other
    }

    /// What it is to a person.
    public var trouble: Trouble {
        guard let cause else {
            return [.outdatedSchema, .newerSchema].contains(self.code) ? .wrongVersion : .other
        }
        return switch cause.code {
        case .cannotConnect, .connectionLost, .ambiguousCommit, .acquireTimeout, .tooManyWaiters, .readOnlyServer,
            .staleServer, .shutDown:
            .unreachable
        case .statementTimeout, .serializationFailure, .diskFull, .resources: .passing
        case .insufficientPrivilege: .denied
        case .server where ["42P01", "3F000", "42883", "42703"].contains(cause.sqlState): .missingQueue
        case .unsuitableServer: .unsuitable
        default: .other
        }
    }

    /// For people, on one line, without the statement that a database's message quotes.
    public var line: String {
        let text = self.cause?.messageWithoutStatement ?? self.message[...]
        let lines = text.split(whereSeparator: \.isNewline).map { line in
            line.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        return lines.filter { !$0.isEmpty }.joined(separator: "; ")
    }
}
