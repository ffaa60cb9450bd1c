/// One numbered change of the schema, in a file of its own. A released one is never edited; the next one is added.
struct Migration {
    let version: Int32
    let name: String
    /// The version that a program must at least make to work with the schema from this change on. 0 where the change only adds: nodes
    /// of the version before then go on beside those of this one.
    var leastProgram: Int32 = 0
    let sql: String

    /// All of them, in the order in which they are applied.
    static let all = [
        Migration.queue, .destinations, .storage, .waiting, .administration, .traceLimit, .tlsFailure,
        .dnsFlush, .queueStates, .messageNames, .receptions, .readers, .queueRules, .staleTerms,
        .operations,
    ]
}
