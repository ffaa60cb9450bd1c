import PostgresDriver

extension PostgresPool {
    /// How often a transaction is tried in all.
    private static let attempts = 3

    /// Runs a transaction that may be repeated without harm, and repeats it when that may help.
    @discardableResult
    func idempotently(_ statements: [Statement]) async throws(QueueStoreError) -> [QueryResult] {
        var left = Self.attempts
        while true {
            do throws(PostgresError) {
                return try await self.pipeline(statements)
            } catch {
                left -= 1
                guard left > 0, error.mayBeRepeatedIdempotently else { throw QueueStoreError(error) }
            }
        }
    }
}

extension PostgresError {
    var mayBeRepeatedIdempotently: Bool {
        switch self.code {
        case .ambiguousCommit, .connectionLost, .serializationFailure, .readOnlyServer: true
        default: false
        }
    }
}
