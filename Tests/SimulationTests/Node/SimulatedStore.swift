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

    /// As `QueueStore.conclude`: together, or, if that is refused, each by itself.
    func conclude(_ conclusions: [Conclusion], _ then: @escaping ([Result<Void, QueueStoreError>]) -> Void) {
        self.conclude(conclusions, ConcludeRepetition(count: conclusions.count), then)
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
            case .each(let single): self.concludeEach(conclusions[...], single, then)
            case .end(let result): then(conclusions.map { _ in result })
            }
        }
    }

    private func concludeEach(
        _ conclusions: ArraySlice<Conclusion>, _ repetition: ConcludeRepetition,
        _ then: @escaping ([Result<Void, QueueStoreError>]) -> Void
    ) {
        guard let first = conclusions.first else { return then([]) }
        self.conclude([first], repetition) { results in
            self.concludeEach(conclusions.dropFirst(), repetition) { then(results + $0) }
        }
    }
}
