/// One numbered change of the schema, in a file of its own. A released one is never edited; the next one is added.
struct Migration {
    let version: Int32
    let name: String
    let sql: String

    /// All of them, in the order in which they are applied.
    static let all = [
        Migration.queue, .destinations, .storage, .waiting, .administration, .traceLimit, .tlsFailure,
        .dnsFlush, .queueStates, .messageNames, .receptions, .readers,
    ]
}
