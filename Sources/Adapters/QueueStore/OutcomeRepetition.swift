import ClusterModel
import PostgresDriver

/// What follows when a transaction that records outcomes fails: decisions only.
struct OutcomeRepetition {
    /// What is to be done.
    enum Step {
        /// Send the same again.
        case again
        /// The outcomes of these terms are refused; send the others again.
        case without(Set<ShardTerm>, QueueStoreError)
        /// Send parts of at most so many outcomes, one after the other.
        case parts(of: Int)
        /// Nothing: this is what came of it.
        case end(Result<Void, QueueStoreError>)
    }

    /// How often the same transaction is tried.
    private static let attempts = 4
    /// The most outcomes in a part, when one of many cannot be recorded: it is then found by few transactions.
    static let part = 16

    /// How many outcomes the transaction records, and of which terms.
    private let count: Int
    private let terms: Set<ShardTerm>
    private var left = Self.attempts
    /// An answer was lost, so that an earlier try may have been committed.
    private var wasAmbiguous: Bool

    init(_ outcomes: [RecordedOutcome]) { self.init(outcomes, wasAmbiguous: false) }

    private init(_ outcomes: [RecordedOutcome], wasAmbiguous: Bool) {
        self.count = outcomes.count
        self.terms = Set(outcomes.map(\.term))
        self.wasAmbiguous = wasAmbiguous
    }

    /// For some of the outcomes, by a transaction of their own.
    func limited(to outcomes: [RecordedOutcome]) -> Self { Self(outcomes, wasAmbiguous: self.wasAmbiguous) }

    /// The transaction has failed.
    mutating func failed(_ error: PostgresError) -> Step {
        let refusal = QueueStoreError(error)
        // Each entry is checked against what was claimed. A repetition that finds it changed shows that the first
        // transaction, whose answer was lost, was committed. Of several entries it shows that of one, and the refusal
        // may be what was lost: each is to be asked about.
        if self.wasAmbiguous, self.count == 1, refusal.code == .entryChanged { return .end(.success(())) }
        self.wasAmbiguous = self.wasAmbiguous || error.code == .ambiguousCommit
        self.left -= 1
        if self.left > 0, error.mayBeRepeatedIdempotently { return .again }
        let stale = refusal.staleTerms.intersection(self.terms)
        if !stale.isEmpty { return .without(stale, refusal) }
        guard self.count > 1, Self.mayConcernOne(refusal) else { return .end(.failure(refusal)) }
        return .parts(of: self.wasAmbiguous || self.count <= Self.part ? 1 : Self.part)
    }

    /// Has outcomes recorded by `together`, which records all of them or none; gives a result for each, in order.
    static func record(
        _ outcomes: [RecordedOutcome], together: ([RecordedOutcome]) async -> Result<Void, PostgresError>
    ) async -> [Result<Void, QueueStoreError>] {
        guard !outcomes.isEmpty else { return [] }
        return await OutcomeRepetition(outcomes).record(outcomes, together)
    }

    private func record(
        _ outcomes: [RecordedOutcome], _ together: ([RecordedOutcome]) async -> Result<Void, PostgresError>
    ) async -> [Result<Void, QueueStoreError>] {
        var repetition = self
        while case .failure(let error) = await together(outcomes) {
            switch repetition.failed(error) {
            case .again: continue
            case .without(let terms, let refusal):
                let others = outcomes.filter { !terms.contains($0.term) }
                guard !others.isEmpty else { return outcomes.map { _ in .failure(refusal) } }
                var results = await repetition.limited(to: others).record(others, together).makeIterator()
                return outcomes.map {
                    terms.contains($0.term) ? .failure(refusal) : results.next() ?? .failure(refusal)
                }
            case .parts(let size):
                var results: [Result<Void, QueueStoreError>] = []
                for part in outcomes.parts(of: size) {
                    results += await repetition.limited(to: part).record(part, together)
                }
                return results
            case .end(let result): return outcomes.map { _ in result }
            }
        }
        return outcomes.map { _ in .success(()) }
    }

    /// One outcome of several may be the reason, such as an entry that somebody changed.
    private static func mayConcernOne(_ refusal: QueueStoreError) -> Bool {
        refusal.code == .entryChanged || refusal.cause?.code == .server
    }
}
