import ClusterModel
import MailModel

@testable import PostgresDriver
@testable import QueueStore

/// The queue as a node sees it: transactions, repeated as `QueueStore` repeats them.
final class SimulatedStore {
    private let link: DatabaseLink

    init(_ link: DatabaseLink) { self.link = link }

    /// As `PostgresPool.idempotently`: three times in all, if that may help.
    func idempotently(
        _ transaction: StoreTransaction, attempts: Int = 3,
        _ then: @escaping (Result<StoreAnswer, QueueStoreError>) -> Void
    ) {
        self.link.send(transaction) { result in
            switch result {
            case .success(let answer): then(.success(answer))
            case .failure(let error) where attempts > 1 && error.mayBeRepeatedIdempotently:
                self.idempotently(transaction, attempts: attempts - 1, then)
            case .failure(let error): then(.failure(QueueStoreError(error)))
            }
        }
    }

    /// As `QueueWriter`: success is 250.
    func enqueue(_ message: AcceptedMessage, _ then: @escaping (Result<StoreAnswer, QueueStoreError>) -> Void) {
        self.idempotently(.enqueue(message), attempts: 6, then)
    }

    /// As `QueueStore.openAttempts`: without those whose shards are lost.
    func open(
        _ attempts: [AttemptOpening], _ then: @escaping (Result<Set<EntryKey>, QueueStoreError>) -> Void
    ) {
        self.idempotently(.open(attempts)) { result in
            switch result {
            case .success(.opened(let keys)): then(.success(keys))
            case .success: then(.success([]))
            case .failure(let error):
                let others = attempts.filter {
                    !error.staleTerms.contains(ShardTerm(shard: $0.entry.key.shard, epoch: $0.epoch))
                }
                guard !others.isEmpty, others.count < attempts.count else { return then(.failure(error)) }
                self.open(others, then)
            }
        }
    }

    /// As `QueueStore.conclude`: together, or, if that is refused, without those that are to blame.
    func conclude(_ conclusions: [Conclusion], _ then: @escaping ([Result<Void, QueueStoreError>]) -> Void) {
        self.conclude(conclusions, ConcludeRepetition(conclusions), then)
    }

    private func conclude(
        _ conclusions: [Conclusion], _ repetition: ConcludeRepetition,
        _ then: @escaping ([Result<Void, QueueStoreError>]) -> Void
    ) {
        self.link.send(.conclude(conclusions)) { result in
            guard case .failure(let error) = result else { return then(conclusions.map { _ in .success(()) }) }
            var repetition = repetition
            switch repetition.failed(error) {
            case .again: self.conclude(conclusions, repetition, then)
            case .without(let terms, let refusal):
                let others = conclusions.filter { !terms.contains($0.term) }
                guard !others.isEmpty else { return then(conclusions.map { _ in .failure(refusal) }) }
                self.conclude(others, repetition.limited(to: others)) { results in
                    var results = results.makeIterator()
                    then(
                        conclusions.map {
                            terms.contains($0.term) ? .failure(refusal) : results.next() ?? .failure(refusal)
                        })
                }
            case .parts(let size): self.concludeParts(conclusions.parts(of: size)[...], repetition, then)
            case .end(let result): then(conclusions.map { _ in result })
            }
        }
    }

    private func concludeParts(
        _ parts: ArraySlice<[Conclusion]>, _ repetition: ConcludeRepetition,
        _ then: @escaping ([Result<Void, QueueStoreError>]) -> Void
    ) {
        guard let first = parts.first else { return then([]) }
        self.conclude(first, repetition.limited(to: first)) { results in
            self.concludeParts(parts.dropFirst(), repetition) { then(results + $0) }
        }
    }
}
