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

/// Repeats transactions that may be repeated without harm, with the store's own error.
enum Retrying {
    /// Runs a transaction, and again when that may help.
    static func idempotently<Value>(
        _ transaction: () async throws(PostgresError) -> Value
    ) async throws(QueueStoreError) -> Value {
        do throws(PostgresError) {
            return try await IdempotentRetry.run(transaction)
        } catch {
            throw QueueStoreError(error)
        }
    }
}

extension Array {
    /// The elements in parts of at most so many, in order.
    func parts(of size: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: size).map { Array(self[$0..<Swift.min($0 + size, self.count)]) }
    }
}
