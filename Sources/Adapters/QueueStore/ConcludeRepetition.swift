import PostgresDriver

/// What follows when a transaction that records outcomes fails: decisions only.
struct ConcludeRepetition {
    /// What is to be done.
    enum Step {
        /// Send the same again.
        case again
        /// Send each outcome by itself, beginning with this.
        case each(ConcludeRepetition)
        /// Nothing: this is what came of it.
        case end(Result<Void, QueueStoreError>)
    }

    /// How often the same transaction is tried.
    private static let attempts = 4

    /// How many outcomes the transaction records.
    private let count: Int
    private var left = Self.attempts
    /// An answer was lost, so that an earlier try may have been committed.
    private var wasAmbiguous: Bool

    init(count: Int) { self.init(count: count, wasAmbiguous: false) }

    private init(count: Int, wasAmbiguous: Bool) {
        self.count = count
        self.wasAmbiguous = wasAmbiguous
    }

    /// The transaction has failed.
    mutating func failed(_ error: PostgresError) -> Step {
        let refusal = QueueStoreError(error)
        // Each entry is checked against what was claimed, so a repetition that finds it changed shows that the first
        // transaction, whose answer was lost, was committed. Of several entries it shows that of one, and the refusal may
        // be what was lost: each is to be asked about.
        if self.wasAmbiguous, self.count == 1, refusal.code == .entryChanged { return .end(.success(())) }
        self.wasAmbiguous = self.wasAmbiguous || error.code == .ambiguousCommit
        self.left -= 1
        if self.left > 0, error.mayBeRepeatedIdempotently { return .again }
        return self.count > 1 && Self.mayConcernOne(refusal)
            ? .each(ConcludeRepetition(count: 1, wasAmbiguous: self.wasAmbiguous)) : .end(.failure(refusal))
    }

    /// One outcome of several may be the reason: a shard that was lost, or an entry that somebody changed.
    private static func mayConcernOne(_ refusal: QueueStoreError) -> Bool {
        [.staleEpoch, .entryChanged].contains(refusal.code) || refusal.cause?.code == .server
    }
}
