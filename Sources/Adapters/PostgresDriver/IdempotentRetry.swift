/// Repeats transactions that may be repeated without harm.
public enum IdempotentRetry {
    /// How often a transaction is tried in all.
    private static let attempts = 3

    /// Runs a transaction, and again when that may help.
    public static func run<Value>(
        _ transaction: () async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        var left = Self.attempts
        while true {
            do throws(PostgresError) {
                return try await transaction()
            } catch {
                left -= 1
                guard left > 0, error.mayBeRepeatedIdempotently else { throw error }
            }
        }
    }
}

extension PostgresError {
    /// Whether the same transaction may succeed when it is repeated at once, if repeating it does no harm.
    public var mayBeRepeatedIdempotently: Bool {
        switch self.code {
        case .ambiguousCommit, .connectionLost, .serializationFailure, .readOnlyServer: true
        default: false
        }
    }
}
