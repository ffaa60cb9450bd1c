import PostgresDriver

extension PostgresPool {
    /// Runs a transaction that may be repeated without harm, and repeats it when that may help.
    @discardableResult
    func idempotently(_ statements: [Statement]) async throws(QueueStoreError) -> [QueryResult] {
        try await Retrying.idempotently { () async throws(PostgresError) -> [QueryResult] in
            try await self.pipeline(statements)
        }
    }
}

/// Repeats transactions that may be repeated without harm.
enum Retrying {
    /// How often a transaction is tried in all.
    private static let attempts = 3

    /// Runs a transaction, and again when that may help.
    static func idempotently<Value>(
        _ transaction: () async throws(PostgresError) -> Value
    ) async throws(QueueStoreError) -> Value {
        var left = Self.attempts
        while true {
            do throws(PostgresError) {
                return try await transaction()
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

extension Array {
    /// The elements in parts of at most so many, in order.
    func parts(of size: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: size).map { Array(self[$0..<Swift.min($0 + size, self.count)]) }
    }
}
