/// What a caller wants done on one connection, and whom to tell.
struct Job: Sendable {
    enum Work: Sendable {
        /// One implicit transaction: several statements and a single Sync.
        case pipeline([Statement])
        /// Statements in one string without parameters, by the simple protocol.
        case script(String)
    }

    typealias Outcome = Result<[QueryResult], PostgresError>

    let work: Work
    let statementTimeout: Duration
    let submitted: ContinuousClock.Instant
    /// When to give up waiting for a connection.
    let acquireDeadline: ContinuousClock.Instant
    let continuation: CheckedContinuation<Outcome, Never>
}
