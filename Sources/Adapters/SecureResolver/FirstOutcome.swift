import Synchronization

/// What came of a query, or of its cancellation, whichever came first.
final class FirstOutcome: Sendable {
    private enum State {
        case nothing
        case waiting(CheckedContinuation<QueryOutcome, Never>)
        case came(QueryOutcome)
        case over
    }

    private let state = Mutex(State.nothing)

    /// Answers the waiter, at once if there is an outcome already. To be called once.
    func wait(_ waiter: CheckedContinuation<QueryOutcome, Never>) {
        let outcome = self.state.withLock { state -> QueryOutcome? in
            guard case .came(let outcome) = state else {
                state = .waiting(waiter)
                return nil
            }
            state = .over
            return outcome
        }
        if let outcome { waiter.resume(returning: outcome) }
    }

    /// This came; the first counts.
    func came(_ outcome: QueryOutcome) {
        let waiter = self.state.withLock { state -> CheckedContinuation<QueryOutcome, Never>? in
            switch state {
            case .nothing:
                state = .came(outcome)
                return nil
            case .waiting(let waiter):
                state = .over
                return waiter
            case .came, .over: return nil
            }
        }
        waiter?.resume(returning: outcome)
    }
}
